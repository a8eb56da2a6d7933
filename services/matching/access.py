"""Which scopes the routes of matching ask for.

Invariant: every route names one of these.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from chassis.auth import Principal, require

NeedReader = Annotated[Principal, Depends(require("needs:read"))]
Counsellor = Annotated[Principal, Depends(require("matches:write"))]
Reader = Annotated[Principal, Depends(require("matches:read"))]
Employer = Annotated[Principal, Depends(require("matches:respond"))]
Answering = Annotated[Principal, Depends(require("candidates:answer", "matches:write"))]
Responding = Annotated[Principal, Depends(require("matches:write", "matches:respond"))]
Stepping = Annotated[Principal, Depends(require("matches:write", "matches:respond", "candidates:answer"))]
