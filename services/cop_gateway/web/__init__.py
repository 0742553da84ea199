"""The gateway's calls over HTTP."""
