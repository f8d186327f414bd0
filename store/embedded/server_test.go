//go:build !noembedded

package embedded_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/lanyardctl/lanyardctl/store/embedded"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

func start(t *testing.T, opts embedded.Options) *embedded.Server {
	t.Helper()
	t.Attr(ferretdb.Attribute, ferretdb.OnFerretDB)
	server, err := embedded.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// withClient calls use with a collection on the server.
func withClient(t *testing.T, uri string, use func(*mongo.Collection)) {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	use(client.Database("lanyard").Collection("kv"))
	if err := client.Disconnect(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func insert(t *testing.T, uri, id string) {
	t.Helper()
	withClient(t, uri, func(kv *mongo.Collection) {
		if _, err := kv.InsertOne(t.Context(), bson.M{"_id": id}); err != nil {
			t.Fatal(err)
		}
	})
}

func count(t *testing.T, uri string) (n int64) {
	t.Helper()
	withClient(t, uri, func(kv *mongo.Collection) {
		var err error
		if n, err = kv.CountDocuments(t.Context(), bson.M{}); err != nil {
			t.Fatal(err)
		}
	})
	return n
}

func socketOf(t *testing.T, uri string) string {
	t.Helper()
	path := strings.ReplaceAll(strings.TrimPrefix(uri, "mongodb://"), "%2F", "/")
	return strings.TrimSuffix(path, "/")
}

func TestDocumentsOutliveTheServer(t *testing.T) {
	for name, opts := range map[string]embedded.Options{
		"on a socket":            {Dir: filepath.Join(t.TempDir(), "made", "here")},
		"on TCP":                 {Dir: t.TempDir(), Listen: "127.0.0.1:0"},
		"on localhost":           {Dir: t.TempDir(), Listen: "localhost:0"},
		"in a folder with space": {Dir: filepath.Join(t.TempDir(), "my data ü & = +;")},
	} {
		t.Run(name, func(t *testing.T) {
			for n := int64(1); n <= 2; n++ {
				server := start(t, opts)
				insert(t, server.URI(), strings.Repeat("x", int(n)))
				if got := count(t, server.URI()); got != n {
					t.Errorf("start %d: %d documents, want %d", n, got, n)
				}
				if err := server.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := os.Stat(filepath.Join(opts.Dir, "lanyard.sqlite")); err != nil {
				t.Errorf("the documents are not in the folder: %v", err)
			}
		})
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	server := start(t, embedded.Options{Dir: t.TempDir()})
	socket := socketOf(t, server.URI())
	insert(t, server.URI(), "x")
	for range 2 {
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Dir(socket)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's folder %s is still there: %v", filepath.Dir(socket), err)
	}
	goleak.VerifyNone(t, before)
}

func TestCloseDoesNotWaitForClientsToLeave(t *testing.T) {
	server := start(t, embedded.Options{Dir: t.TempDir()})
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	if err := client.Ping(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Errorf("closed beside a client: %v", err)
	}
}

func TestAServerOutlivesTheContextOfItsStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server, err := embedded.Start(ctx, embedded.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	insert(t, server.URI(), "x")
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Start(ctx, embedded.Options{Dir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("a start that was cancelled before: %v", err)
	}
}

func TestOnlyTheOwnerReachesTheSocketAndTheFiles(t *testing.T) {
	empty := t.TempDir()
	if err := os.Chmod(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"missing": filepath.Join(t.TempDir(), "new"), "empty": empty} {
		server := start(t, embedded.Options{Dir: dir})
		for what, path := range map[string]string{"folder": dir, "socket's folder": filepath.Dir(socketOf(t, server.URI()))} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != 0o700 {
				t.Errorf("%s, when the folder was %s, has mode %o", what, name, got)
			}
		}
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALongTempPathStillGivesASocket(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	insert(t, start(t, embedded.Options{Dir: filepath.Join(long, "data")}).URI(), "x")
}

func TestAFolderInUseIsRefused(t *testing.T) {
	dir := t.TempDir()
	server := start(t, embedded.Options{Dir: dir})
	_, err := embedded.Start(t.Context(), embedded.Options{Dir: dir})
	if !errors.Is(err, embedded.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second start: %v", err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := start(t, embedded.Options{Dir: dir}).Close(); err != nil {
		t.Errorf("a start after the close: %v", err)
	}
}

func TestAFolderThatCannotBeUsedIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "lanyard.sqlite"), []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"no name":                  "",
		"a file":                   file,
		"below a file":             filepath.Join(file, "below"),
		"with a glob character":    filepath.Join(t.TempDir(), "a[b"),
		"with a percent sign":      filepath.Join(t.TempDir(), "100%"),
		"with a broken database":   broken,
		"with a NUL":               filepath.Join(t.TempDir(), "a\x00b"),
		"with a directory as lock": lockedByFolder(t),
	}
	if runtime.GOOS == "linux" {
		cases["read-only"] = "/proc/self"
	}
	for name, dir := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := embedded.Start(t.Context(), embedded.Options{Dir: dir})
			folder, ok := errors.AsType[*embedded.FolderError](err)
			if !ok || folder.Dir != dir {
				t.Fatalf("Start: %v", err)
			}
			// FerretDB panics in a finalizer over what it has not closed.
			runtime.GC()
			runtime.GC()
		})
	}
}

func TestAFolderThatHoldsSomethingElseIsRefused(t *testing.T) {
	for rule, c := range map[string]struct {
		files   []string
		refused string // the file that is named
	}{
		"the data of a mongod":                  {[]string{"WiredTiger", "WiredTiger.lock", "collection-0.wt"}, "WiredTiger"},
		"a home folder":                         {[]string{".bashrc"}, ".bashrc"},
		"a working folder":                      {[]string{"dump.rdb", "lanyard.sqlite"}, "dump.rdb"},
		"a hidden database":                     {[]string{".sqlite"}, ".sqlite"},
		"nothing":                               {nil, ""},
		"the lock alone, as after a start":      {[]string{"lanyardctl.lock"}, ""},
		"the lock, and what somebody put there": {[]string{"lanyardctl.lock", "notes.txt"}, ""},
		"a start that was killed":               {[]string{".lanyardctl-probe-123"}, ""},
		"a new file system":                     {[]string{"lost+found"}, ""},
	} {
		t.Run(rule, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			server, err := embedded.Start(t.Context(), embedded.Options{Dir: dir})
			if c.refused == "" {
				if err != nil {
					t.Fatal(err)
				}
				insert(t, server.URI(), "x")
				if err := server.Close(); err != nil {
					t.Fatal(err)
				}
				return
			}
			entries, _ := os.ReadDir(dir)
			if !errors.Is(err, embedded.ErrForeign) || !strings.Contains(err.Error(), strconv.Quote(c.refused)) || len(entries) != len(c.files) {
				t.Errorf("Start: %v; then the folder holds %v", err, entries)
			}
		})
	}
}

func TestACopyOfAFolderWithoutItsLockIsServed(t *testing.T) {
	dir := t.TempDir()
	server := start(t, embedded.Options{Dir: dir})
	insert(t, server.URI(), "x")
	for _, name := range []string{"lanyardctl.lock", "lanyard.sqlite-journal", "lanyard.sqlite-wal"} {
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(dir, "lanyardctl.lock")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		server = start(t, embedded.Options{Dir: dir})
		if n := count(t, server.URI()); n != 1 {
			t.Errorf("%d documents", n)
		}
	}
}

func lockedByFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lanyardctl.lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAnAddressThatOthersReachIsRefused(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "127.0.0.1", "no such host.invalid:0"} {
		dir := filepath.Join(t.TempDir(), "data")
		server, err := embedded.Start(t.Context(), embedded.Options{Dir: dir, Listen: listen})
		if err == nil {
			t.Errorf("listens on %s as %s", listen, server.URI())
			_ = server.Close()
			continue
		}
		if !strings.Contains(err.Error(), listen) {
			t.Errorf("the error does not name %s: %v", listen, err)
		}
	}
	_, err := embedded.Start(t.Context(), embedded.Options{Dir: t.TempDir(), Listen: "0.0.0.0:0"})
	if !errors.Is(err, embedded.ErrNotLoopback) {
		t.Errorf("on 0.0.0.0: %v", err)
	}
}

func TestAPortInUseIsAnErrorAndUnlocksTheFolder(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	opts := embedded.Options{Dir: t.TempDir(), Listen: taken.Addr().String()}
	if _, err := embedded.Start(t.Context(), opts); err == nil || !strings.Contains(err.Error(), opts.Listen) {
		t.Fatalf("Start: %v", err)
	}
	runtime.GC()
	runtime.GC()
	start(t, embedded.Options{Dir: opts.Dir})
}

// TestNothingIsPrinted runs a server's whole life in a process of its own: FerretDB logs to slog by default.
func TestNothingIsPrinted(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), lifeVariable+"="+t.TempDir())
	if printed, err := child.CombinedOutput(); err != nil || len(printed) > 0 {
		t.Errorf("%v, printed: %s", err, printed)
	}
}
