"""The stores of the table, for those who have none of their own; their images are not ours.

The versions are those of the programs and clients that the tests run with.
"""

from atrium_manifests.shapes import Container, Folder, Port, ProcessCheck, Resources

POSTGRES_IMAGE = "docker.io/pgvector/pgvector:0.8.1-pg18"  # PostgreSQL 18 with the extension `vector`
REDIS_IMAGE = "docker.io/valkey/valkey:9.1-alpine"
QDRANT_IMAGE = "docker.io/qdrant/qdrant:v1.20.0-unprivileged"
OBJECTS_IMAGE = "docker.io/chrislusf/seaweedfs:4.48"

DATABASE = "atrium"
# Full, it refuses what is new, and a gateway counts by itself: a count that is thrown away would admit more.
_REDIS_OPTIONS = "--save '' --appendonly no --maxmemory 192mb --maxmemory-policy noeviction"
_REDIS_CHECK = ("sh", "-c", 'REDISCLI_AUTH="$REDIS_PASSWORD" valkey-cli ping | grep -q PONG')

POSTGRES = Container(
    name="postgres",
    image=POSTGRES_IMAGE,
    purpose="rows of every service, each in a schema of its own, and their queues and locks",
    arguments=("postgres", "-c", "max_connections=400"),
    user=999,
    ports=(Port("postgres", 5432),),
    config={"POSTGRES_DB": DATABASE},
    secrets=("POSTGRES_PASSWORD",),
    alive=ProcessCheck(
        5432
    ),  # it listens while it recovers, when `pg_isready` fails for as long as that takes
    ready=ProcessCheck(command=("pg_isready", "-U", "postgres", "-d", DATABASE)),
    resources=Resources("500m", "512Mi", "2Gi"),
    folders=(
        Folder("/var/lib/postgresql", "20Gi", lasting=True),
        Folder("/var/run/postgresql", "16Mi"),
        Folder("/tmp", "256Mi"),
        Folder("/dev/shm", "256Mi", memory=True),  # parallel queries share it; 64 MiB are the default
    ),
    owns=True,
    drain_s=30,
)

REDIS = Container(
    name="redis",
    image=REDIS_IMAGE,
    purpose="limits that several gateways count together; nothing in it is kept",
    # By standard input: what stands in a command is read by everybody who may list processes.
    command=("sh", "-c", f"exec valkey-server {_REDIS_OPTIONS} - <<END\nrequirepass $REDIS_PASSWORD\nEND\n"),
    folder="/data",
    user=999,
    ports=(Port("redis", 6379),),
    secrets=("REDIS_PASSWORD",),
    alive=ProcessCheck(command=_REDIS_CHECK),
    ready=ProcessCheck(command=_REDIS_CHECK),
    resources=Resources("100m", "64Mi", "256Mi"),
    folders=(Folder("/data", "64Mi"),),
    drain_s=5,
)

QDRANT = Container(
    name="qdrant",
    image=QDRANT_IMAGE,
    purpose="vectors of passages",
    user=1000,
    ports=(Port("http", 6333),),
    config={
        "QDRANT__STORAGE__STORAGE_PATH": "/qdrant/storage/data",
        "QDRANT__STORAGE__SNAPSHOTS_PATH": "/qdrant/storage/snapshots",
        "QDRANT__TELEMETRY_DISABLED": "true",
        "QDRANT_INIT_FILE_PATH": "/qdrant/storage/.qdrant-initialized",
    },
    secrets=("QDRANT__SERVICE__API_KEY",),
    alive=ProcessCheck(6333, "/livez"),
    ready=ProcessCheck(6333, "/readyz"),
    resources=Resources("250m", "512Mi", "2Gi"),
    folders=(Folder("/qdrant/storage", "20Gi", lasting=True), Folder("/tmp", "64Mi")),
    owns=True,
    drain_s=10,
)

OBJECTS = Container(
    name="objects",
    image=OBJECTS_IMAGE,
    purpose="the bytes of files, over S3 (SeaweedFS)",
    command=(
        *("weed", "-logtostderr=true", "mini", "-dir=/data", "-bucket=atrium"),
        *("-ip=127.0.0.1", "-ip.bind=0.0.0.0"),
        *("-s3.port=8333", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-admin.ui=false", "-webdav=false", "-master.telemetry=false"),
    ),
    folder="/data",
    user=1000,
    ports=(Port("s3", 8333),),
    config={"GOMEMLIMIT": "400MiB"},
    secrets=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    alive=ProcessCheck(8333, "/healthz"),
    ready=ProcessCheck(8333, "/healthz"),
    resources=Resources("100m", "256Mi", "1Gi"),
    folders=(Folder("/data", "50Gi", lasting=True), Folder("/tmp", "64Mi")),
    owns=True,
    drain_s=10,
)

STORES = (POSTGRES, REDIS, QDRANT, OBJECTS)
