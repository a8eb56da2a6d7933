#!/usr/bin/env bash
# Who may do what at the broker; run by an administrator, again whenever it changes. Whatever is not allowed here is
# refused (`allow.everyone.if.no.acl.found=false`).
#
#   KAFKA_BOOTSTRAP_SERVERS   where the broker is
#   KAFKA_ADMIN_PROPERTIES    a file with the administrator's client settings
#
# Background facts (functional ability, country of birth …) reach intake, which writes them, and reporting: nobody else
# may read that topic. So matching cannot see them, whatever its code asks for.
set -euo pipefail
export PATH="$PATH:/opt/kafka/bin"

acls() { # acls <user> <operations, with commas> <more of kafka-acls.sh>
    local user=$1 operations=()
    for operation in ${2//,/ }; do operations+=(--operation "$operation"); done
    shift 2
    kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" --command-config "$KAFKA_ADMIN_PROPERTIES" \
        --add --allow-principal "User:$user" "${operations[@]}" "$@"
}

topics() { # topics <user> <operations> <topic …>
    local user=$1 operations=$2 named=()
    shift 2
    for topic in "$@"; do named+=(--topic "$topic"); done
    acls "$user" "$operations" "${named[@]}"
}

groups() { # groups <user>: the consumer groups of a service
    acls "$1" Read,Describe --resource-pattern-type prefixed --group "dugnad.$1."
}

topics intake    Read,Write dugnad.intake.v1 dugnad.background.v1
topics intake    Read       dugnad.matching.v1 dugnad.followup.v1
groups intake

topics matching  Read,Write dugnad.matching.v1
topics matching  Read       dugnad.intake.v1 dugnad.followup.v1
groups matching

topics followup  Read,Write dugnad.followup.v1
topics followup  Read       dugnad.intake.v1 dugnad.matching.v1
groups followup

topics reporting Read       dugnad.intake.v1 dugnad.background.v1 dugnad.matching.v1 dugnad.followup.v1
groups reporting

# Creates the topics, and sends them again from the logs where Kafka has lost them. Reads none of them.
acls operator Create,Delete,Describe,Write --resource-pattern-type prefixed --topic dugnad.
