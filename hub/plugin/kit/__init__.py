"""What the host and the conformance suite share: load checks, verifiers, the HTML cleaner, the
network under its rules. Plugins do not import it; they are handed its objects by ``ctx``."""
