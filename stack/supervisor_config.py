"""The text of the supervisor's configuration. It holds no secret: servers read theirs from files of mode 0600."""

import os
import shlex
from collections.abc import Sequence

from stack.layout import Layout
from stack.program import Program

# Carried by every process of a stack, so that those which outlived their supervisor can be found and told from others.
MARKER = "SENSORLAKE_STACK_DIR"


def render(layout: Layout, programs: Sequence[Program]) -> str:
    head = f"""[unix_http_server]
file={_plain(layout.socket())}
chmod=0600

[supervisord]
nodaemon=true
silent=true
logfile={_plain(layout.supervisor_log)}
logfile_maxbytes=0
pidfile={_plain(layout.run / "supervisord.pid")}
childlogdir={_plain(layout.run)}
directory={_plain(layout.root)}
umask=077
minfds=1024
identifier=sensorlake
"""
    if os.getuid() == 0:
        head += "user=root\n"  # said outright, or supervisord warns of running as root
    head += """
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    head += f"""
[rpcinterface:endurance]
supervisor.rpcinterface_factory = stack.endurance:begin
root = {_plain(layout.root)}
"""
    return head + "".join(_section(layout, program) for program in programs)


def _section(layout: Layout, program: Program) -> str:
    # 30 tries, each pause a second longer than the last: about eight minutes. Then `status` says "failed" until, within
    # a minute, they begin anew (stack/endurance.py).
    environment = ",".join(f'{name}="{_plain(value)}"' for name, value in program.environment.items())
    command = ["nice", "-n", str(program.niceness), *program.command] if program.niceness else program.command
    return f"""
[program:{program.name}]
command={_plain(shlex.join(command))}
directory={_plain(program.directory)}
environment={environment}
priority={program.priority}
autostart=false
autorestart=true
startsecs={program.started_after}
startretries=30
stopsignal={program.stop_signal}
stopwaitsecs={program.stop_seconds}
stopasgroup={str(program.stop_group).lower()}
killasgroup=true
redirect_stderr=true
stdout_logfile={_plain(layout.log_of(program.name))}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=2
"""


def _plain(value: object) -> str:
    """supervisord expands `%(...)s` in values."""
    return str(value).replace("%", "%%")
