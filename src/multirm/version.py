"""The package's version, readable without an installation (environments of jobs may run from source)."""

VERSION = "0.1.0"
