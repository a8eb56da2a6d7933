# PxWebApiData and rjstat against a running service, whose address is the argument. Prints one line per client.
address <- commandArgs(trailingOnly = TRUE)[1]
url <- paste0(address, "/tables/trakt/data?lang=en")

whole <- rjstat::fromJSONstat(paste(readLines(url, warn = FALSE), collapse = "\n"))
if (is.list(whole) && !is.data.frame(whole)) whole <- whole[[1]]
stopifnot(nrow(whole) == 9 * 13, "value" %in% names(whole), !anyNA(whole$value))
cat("rjstat", as.character(packageVersion("rjstat")), "ran:", nrow(whole), "rows\n")

chosen <- PxWebApiData::api_data_2(
  url, Region = c("0", "33"), Tiltak = FALSE, Formidler = FALSE, ContentsCode = c("needs", "slots"), Tid = "2024M02"
)
stopifnot(nrow(chosen) == 4, !anyNA(chosen$value))
cat("PxWebApiData", as.character(packageVersion("PxWebApiData")), "ran:", nrow(chosen), "rows\n")
