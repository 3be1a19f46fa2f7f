/** What `nephos --help` prints. */

export const helpText = `Nephos: an OpenStack cloud in one program, with real APIs and real virtual machines.

  nephos up            start the cloud here, in the foreground; prints "ready http://HOST:PORT"
  nephos status        is it running, and what is in it
  nephos scheduler     choose hosts for a cloud elsewhere: docs/scheduling.md;  serve --node NAME  its APIs, too: docs/howto/more-api-nodes.md
  nephos doctor        what this machine can do, what is missing, and the command that adds it
  nephos image build   build the small guest image;  image replicate FROM TO  copies what one cloud of a clouds.yaml has and another lacks
  nephos db migrate    bring the database up to this version;  db check  says whether it is
  nephos keys rotate   new keys for tokens, logging nobody out; --forget ends the tokens of former keys
  nephos trace REQUEST_ID    what came of a request, step by step; the caller's own id of it will do
  nephos server why ID       why a server is where it is, or nowhere: host by host
  nephos host drain|suspend|resume|cancel HOST    maintenance of a host: move or suspend all its servers    docs/howto/maintain-hosts.md
  nephos api schema SERVICE  its API as OpenAPI; --version 2.90 as it was then, --data DIR with its extensions
  nephos fixed list HOST     the addresses in use on a host, with server and MAC;  cell list  the cells, and how many servers each has
  nephos metadata clashes    keys of metadata that differ by case only; --fix renames them
  nephos placement explain 'resources=VCPU:1'   which providers could take it, and what the others lack
  nephos policy list|check    every rule of who may do what, and what policy.yaml changes; is it right, and what --role ROLE may do
  nephos policy sample, nephos config sample    print every rule or setting with its default

Flags of up
  --data DIR           where everything is kept                     (./nephos-data)
  --host ADDRESS --port N    where all the APIs listen              (127.0.0.1, 8774)
  --virt auto|qemu|fake --network auto|linux|fake   how guests run and packets travel   (auto)
  --simulated          fake hosts and guests: no root needed, nothing but npm packages installed
  --hosts N            how many simulated hosts                     (1)
  --projects N --servers N   what a simulated cloud is filled with at first; docs/simulated.md tells how to steer it
  --snapshot FILE      what a simulated cloud begins as: a snapshot of another
  --ephemeral          keep everything in memory, gone at exit
  --workers N          processes that serve the APIs, beside the one that keeps the hosts
  --no-install         install no Debian packages: say what is missing, and stop

Other flags
  --data DIR           serve, status, doctor, db, keys, trace, server why, host, fixed list, cell list, metadata, placement explain, policy: the same directory as at up
  --role ROLE          policy check: one or more; with --user, --project, --domain ID or --system, and --target NAME=VALUE
  --live auto|yes|no   host drain: whether what runs must move as it runs;  --together N  how many at a time
  --json               status, doctor, policy list: for programs
  --out DIR            image build: where to put the files (the cache);  --clouds FILE  image replicate: the clouds.yaml (where clients look for it)
  --version, --help

First steps
  sudo ./nephos up                             or, to look around without root: ./nephos up --simulated
  export OS_CLIENT_CONFIG_FILE=nephos-data/clouds.yaml OS_CLOUD=nephos
  openstack server create --image tiny --flavor m1.nano --network private --wait first
`
