"""From content to an approved revision: compose, render, preview, diff, approve."""
