"""The commands, each a file that is imported only when it is called.

Every file offers two functions, which ``cli.py`` calls by name:
``configure(parser)`` declares the arguments, ``run(args)`` returns the exit status.
A third, ``parents()``, may give parsers whose arguments are taken over; ``args.words`` has
the bare words behind the command's name.
"""
