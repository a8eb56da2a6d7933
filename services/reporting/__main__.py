"""`python -m services.reporting`"""

from chassis.server import run
from chassis.settings import Settings
from services.reporting.app import create_app

if __name__ == "__main__":
    run(create_app, Settings(), name="reporting")
