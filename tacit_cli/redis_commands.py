"""Commands `tacit redis …`."""

import typer

from connectors.redis.acl import PASSWORDS, RedisUser, redis_users
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation

app = new_app("redis", "Prepare a Redis server.")


@app.callback()
def group() -> None:
    """Keep `acl` a command of a group."""


@command(app, "tacit redis acl --region eu >> users.acl", settings=("region",))
def acl(invocation: Invocation) -> None:
    """Print the users of a region for the aclfile of Redis, each with the rights that it needs.

    Passwords are the variables TACIT_READER_PASSWORD, TACIT_WRITER_PASSWORD and TACIT_AUDITOR_PASSWORD. For a variable
    that is not set the command generates a password and prints it once, on stderr: the file has its SHA-256 only.
    """
    users = redis_users(invocation.settings(needs_secret=False).region)
    invocation.output.show([user._asdict() for user in users], lambda: _print(users))


def _print(users: list[RedisUser]) -> None:
    for user in users:
        typer.echo(user.rules)
        if user.password:
            variable = PASSWORDS[user.name]
            typer.echo(f"{user.name}: password {user.password}  (generated, as {variable} is not set)", err=True)
