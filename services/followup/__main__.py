"""`python -m services.followup`"""

from chassis.server import run
from chassis.settings import Settings
from services.followup.app import create_app

if __name__ == "__main__":
    run(create_app, Settings(), name="followup")
