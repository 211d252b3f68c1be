"""The Amazon States Language: an interpreter without sockets, files or a clock of its own."""
