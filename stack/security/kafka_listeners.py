"""How Kafka listens: in the open on this machine, or secured.

Secured, clients come by TLS and log in by SCRAM; the broker and its controller, which is in the same process, know each
other by their certificate. Who has no rule may do nothing.
"""

from stack.layout import Stack
from stack.security import certificates, logins
from stack.security.kafka_rules import ITERATIONS

_BROKER = "broker"
_OPEN = """controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
"""
_SECURED = """controller.quorum.voters=1@127.0.0.1:{controller}
listeners=SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_SSL://127.0.0.1:{port}
inter.broker.listener.name=SASL_SSL
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:SSL
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
ssl.enabled.protocols=TLSv1.3,TLSv1.2
listener.name.controller.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={login} required username="{user}" password="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{user};User:{operator};User:CN=kafka
"""
_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"


def properties(stack: Stack) -> str:
    """The part of the broker's configuration that says where and how it listens."""
    ports = {"port": stack.ports["kafka"], "controller": stack.ports["kafka_controller"]}
    if not stack.settings.secure:
        return _OPEN.format(**ports)
    own = certificates.of(stack.layout.root, "kafka")
    keystore = own.folder / "keystore.pem"
    keystore.unlink(missing_ok=True)
    keystore.touch(mode=0o600)
    keystore.write_bytes(own.private.read_bytes() + own.public.read_bytes())
    return _SECURED.format(
        **ports,
        keystore=keystore,
        authority=certificates.authority_file(stack.layout.root),
        login=_LOGIN,
        user=_BROKER,
        operator=logins.OPERATOR,
        password=stack.credentials.kafka_broker_password,
    )


def first_users(stack: Stack) -> list[str]:
    """Arguments that give a new broker the users without which nobody could add others; they hold passwords."""
    if not stack.settings.secure:
        return []
    users = {
        _BROKER: stack.credentials.kafka_broker_password,
        logins.OPERATOR: stack.settings.kafka_password.get_secret_value(),
    }
    described = (f"name={user},iterations={ITERATIONS},password={password}" for user, password in users.items())
    return [word for text in described for word in ("--add-scram", f"SCRAM-SHA-512=[{text}]")]
