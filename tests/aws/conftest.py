"""The fixtures: a local AWS, keys in its KMS, and the real template deployed into it.

| fixture | is |
|---|---|
| `aws` | a local AWS, one for all tests (`ministack.Ministack`) |
| `link` | what the functions reach that AWS through, and tests can break (`faulty_link.FaultyLink`) |
| `database` | the URL of an empty PostgreSQL database |
| `signing_keys` | the ARNs of two keys in its KMS, by algorithm: `ps256` and `es256` |
| `deployed` | the stack with both keys, without an active signer (`stack.Stack`) |
| `activate` | makes one of the two keys the active signer: `activate("es256")`; gives the root certificate as PEM |
| `stack` | the stack with an active signer, `ps256` unless a test activated another |
| `root` | the root certificate of all signers, as PEM |
| `kill` | kills the processes that run a function: `kill("sign")` |
| `restarted` | lets every function start anew, so that it sees at once who is active |
| `guarded` | like `stack`, in an AWS of its own that lets functions do only what their roles allow |

`stack.call("POST", "/verify", data=…)` calls the API through its gateway, `stack.client("s3")` is boto3,
`stack.invoke("auto_sign", event)` calls a function, `stack.outputs` are the template's.
"""

from collections.abc import Callable, Iterator

import pytest

import ministack
import postgres
import processes
import signing
from faulty_link import FaultyLink
from ministack import Ministack
from stack import Stack, deploy, programs_folder

STACK_NAME = "credlink-test"

UNLIMITED = {"RateLimitMax": "0", "SignRateLimitMax": "0"}
"""Tests ask more often than a client may."""


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """A local AWS; it keeps what the tests leave there until the last one has ended."""
    running = ministack.start(tmp_path_factory.mktemp("aws"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def link(aws: Ministack) -> Iterator[FaultyLink]:
    """The way of the functions to AWS."""
    between = FaultyLink(aws.endpoint)
    yield between
    between.stop()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of an empty database."""
    running = postgres.start(programs_folder())
    yield running.make_database()
    running.stop()


@pytest.fixture(scope="session")
def signing_keys(aws: Ministack) -> dict[str, str]:
    """The ARNs of two keys, by algorithm."""
    return signing.make_keys(aws)


@pytest.fixture(scope="session")
def deployed(
    aws: Ministack, link: FaultyLink, signing_keys: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Stack:
    """The deployed stack, in which nobody can sign yet."""
    folder = tmp_path_factory.mktemp("stack")
    keys = ",".join(signing_keys.values())
    chosen = {"SigningKeyArns": keys, "AwsEndpointUrl": link.url} | UNLIMITED
    return deploy(aws, folder, STACK_NAME, programs_folder(), **chosen)


@pytest.fixture(scope="session")
def activate(
    deployed: Stack, signing_keys: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """Makes a key the active signer, with a certificate of a local authority; gives the authority's root as PEM."""
    authority = tmp_path_factory.mktemp("authority")
    return lambda algorithm: signing.activate(deployed, signing_keys[algorithm], authority)


@pytest.fixture(scope="session")
def stack(deployed: Stack, activate: Callable[[str], str]) -> Stack:
    """The deployed stack, in which images can be signed."""
    activate("ps256")
    return deployed


@pytest.fixture(scope="session")
def root(stack: Stack, activate: Callable[[str], str]) -> str:
    """The root certificate that all signers lead to."""
    return activate("ps256")


@pytest.fixture(scope="session")
def kill(deployed: Stack) -> Callable[[str], None]:
    """Kills the processes of a function, as a crash or the end of an instance does."""
    return lambda binary: processes.kill(deployed.functions[binary])


@pytest.fixture(scope="session")
def restarted(deployed: Stack) -> Callable[[], None]:
    """Lets every function start anew."""
    return lambda: [processes.kill(name) for name in deployed.functions.values()] and None


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack in which images can be signed, and functions may do only what their roles allow."""
    folder = tmp_path_factory.mktemp("guarded")
    running = ministack.start(folder, enforces_policies=True)
    keys = signing.make_keys(running)
    chosen = {"SigningKeyArns": ",".join(keys.values()), "RotationAuthority": "internal"} | UNLIMITED
    one = deploy(running, folder, STACK_NAME, programs_folder(), **chosen)
    signing.activate(one, keys["es256"], folder / "authority")
    yield one
    running.stop()
