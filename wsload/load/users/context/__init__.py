"""What a user's code runs in: its process, the current task's due time and steps, feeds, and the exceptions that
leave a task.

May import: measure, results, load.engine, load.ws, load.options, load.locust.
Never here: sockets, tasks.
"""
