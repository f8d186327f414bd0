package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/record"
	mongostore "github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest/certs"
	"github.com/lanyardctl/lanyardctl/store/storetest/discordserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// TestScripts runs the built binary against real servers, as testdata/script says. Beside testscript's own commands
// there are:
//
//	redis [-loading|-silent] [NAME=VALUE…]  starts a redis-server, with $REDIS as its URI; the options are its own
//	certs                                   makes certificates: $CA with $CERT and $KEY, $OTHER_CA with $OTHER_CERT and $OTHER_KEY
//	tlsredis [NAME=VALUE…]                  starts a redis-server that speaks TLS, too, with $REDISS as its URI; own= is which
//	                                        certificate it has, clients= whether it asks for one
//	tlsmongo OWN                            starts a FerretDB that speaks TLS, with $TLS_MONGO as its address
//	seed KEY VALUE | seed KEY FIELD=VALUE…  writes a string or a hash to $REDIS
//	redisdo COMMAND…                        sends a command to $REDIS, and prints the answer
//	listen                                  listens to what running Lanyards would be told by $REDIS
//	heard                                   prints the messages that came since, and ends listening
//	newkey ARGS…                            runs lanyardctl apikey rotate, checks that it prints an API key alone, and writes
//	                                        it to key.txt
//	lanyard FILE                            starts what answers as a Lanyard does that counts, with $METRICS as the URL: with the
//	                                        file as it is at each request, and with an error while there is none
//	mongo                                   makes a database, of which $MONGODB_URI and $MONGODB_DATABASE tell lanyardctl, and
//	                                        $REFUSES what its server refuses: "names-arrays", "dollars" or "nothing"
//	dynamodb                                starts a DynamoDB without tables, with $DYNAMODB as its URL
//	ferretdb                                starts a FerretDB whatever server is tested, with $FERRETDB as its address
//	listening                               sets $LISTEN to an address at which nobody listens yet
//	tells PATH REGEXP                       waits until what is answered at $LISTEN fits
//	insert COLLECTION JSON…                 inserts documents into the database
//	set COLLECTION USER JSON                sets fields of a user's document; null removes one
//	delete COLLECTION USER                  deletes a user's documents
//	remove COLLECTION ID                    deletes a document
//	count COLLECTION N                      checks how many documents there are
//	discord USER=JOINED…                    starts a part of Discord's API, with $DISCORD as its URL, $GUILD and $TOKEN
//	lease DOING                             makes this test's process the one that sweeps the database, until it ends
//	documents COLLECTION                    prints the documents, by user
//	exits CODE lanyardctl ARGS…             runs the command and checks its exit code, and that it showed no secret
//	rejects FILE                            prints the reasons in a rejects file, and checks that its values can be read
//	sweepid                                 sets $SWEEP to the ID of the sweep in the last output
//	clean stdout|stderr                     prints the last output with what differs from run to run made equal
func TestScripts(t *testing.T) {
	bin := ferretdb.Build(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		UpdateScripts:       *golden.Updating,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(bin)+string(os.PathListSeparator)+os.Getenv("PATH"))
			dump, err := filepath.Abs(filepath.Join("..", "..", "testdata", "dump.rdb"))
			e.Setenv("DUMP", dump)
			e.Setenv("TZ", "America/New_York") // times are UTC all the same
			e.Values[theTest{}] = e.T().(testing.TB)
			e.Values[theCA{}] = &certs.CA{}
			e.Values[theListener{}] = new(*goredis.PubSub)
			e.Values[theServer{}] = sync.OnceValue(func() *mongoserver.Server { return mongoserver.Start(e.T().(testing.TB)) })
			return err
		},
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"redis": startRedis, "certs": makeCertificates, "tlsredis": startTLSRedis, "tlsmongo": startTLSMongo, "seed": seedRedis, "dynamodb": startDynamoDB, "redisdo": doRedis, "listen": listenToRedis, "heard": printHeard, "newkey": rotateKey, "lanyard": startLanyard, "mongo": makeDatabase, "listening": nameAddress, "tells": awaitAnswer, "ferretdb": startFerretDB, "insert": insertDocuments,
			"set": setFields, "delete": deleteDocuments, "remove": removeDocument, "count": countDocuments, "discord": startDiscord, "lease": takeLease,
			"documents": printDocuments, "exits": runAndCheckExit, "clean": cleanOutput,
			"rejects": countReasons, "sweepid": keepSweepID,
		},
	})
}

// theTest is the key of a script's test.
type theTest struct{}

// theServer is the key of what starts the server of a script's databases.
type theServer struct{}

func startRedis(ts *testscript.TestScript, neg bool, args []string) {
	t := ts.Value(theTest{}).(testing.TB)
	mode := ""
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		mode, args = args[0], args[1:]
	}
	given := []string{"--save", "3600 1"} // one that keeps nothing on disk is warned of
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		given = append(given, "--"+name, value)
	}
	var s *redisserver.Server
	switch mode {
	case "-loading":
		s = redisserver.StartLoading(t, given...)
	default:
		s = redisserver.Start(t, given...)
	}
	if mode == "-silent" {
		s.Pause()
		t.Cleanup(s.Resume)
	}
	ts.Setenv("REDIS", s.URI)
	ts.Setenv("REDIS_ADDR", s.Addr)
}

// theCA is the key of the authority that signs a script's certificates.
type theCA struct{}

func makeCertificates(ts *testscript.TestScript, neg bool, args []string) {
	t := ts.Value(theTest{}).(testing.TB)
	ca, other := certs.NewCA(t, "the CA"), certs.NewCA(t, "the other CA")
	*ts.Value(theCA{}).(*certs.CA) = *ca
	own, foreign := ca.Sign(nil), other.Sign(nil)
	for name, file := range map[string]string{
		"CA": ca.File, "CERT": own.Cert, "KEY": own.Key, "OTHER_CA": other.File, "OTHER_CERT": foreign.Cert, "OTHER_KEY": foreign.Key,
	} {
		ts.Setenv(name, file)
	}
}

// serverCertificate returns the certificate of the given kind for a server on this machine.
func serverCertificate(ts *testscript.TestScript, kind string) certs.Pair {
	ca := ts.Value(theCA{}).(*certs.CA)
	here, now, day := []string{"127.0.0.1"}, time.Now(), 24*time.Hour
	switch kind {
	case "expired":
		return ca.Sign(here, certs.Valid(now.Add(-2*day), now.Add(-day)))
	case "early":
		return ca.Sign(here, certs.Valid(now.Add(day), now.Add(2*day)))
	case "elsewhere":
		return ca.Sign([]string{"redis.example"})
	}
	return ca.Sign(here)
}

func startTLSRedis(ts *testscript.TestScript, neg bool, args []string) {
	t := ts.Value(theTest{}).(testing.TB)
	given := make(map[string]string)
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		given[name] = value
	}
	own, addr := serverCertificate(ts, given["own"]), fmt.Sprintf("127.0.0.1:%d", redisserver.FreePort(t))
	_, port, _ := strings.Cut(addr, ":")
	s := redisserver.Start(t, "--tls-port", port, "--tls-cert-file", own.Cert, "--tls-key-file", own.Key,
		"--tls-ca-cert-file", ts.Getenv("CA"), "--tls-auth-clients", given["clients"])
	for name, value := range map[string]string{"REDIS": s.URI, "REDIS_ADDR": s.Addr, "REDISS": "rediss://" + addr, "REDISS_ADDR": addr} {
		ts.Setenv(name, value)
	}
}

func startTLSMongo(ts *testscript.TestScript, neg bool, args []string) {
	t := ts.Value(theTest{}).(testing.TB)
	u, err := url.Parse(ferretdb.Start(t).URI)
	ts.Check(err)
	ts.Setenv("TLS_MONGO", certs.Front(t, u.Host, serverCertificate(ts, args[0]), &tls.Config{}))
}

func startDynamoDB(ts *testscript.TestScript, neg bool, args []string) {
	ts.Setenv("DYNAMODB", dynamoserver.New(ts.Value(theTest{}).(testing.TB)).URI)
}

func seedRedis(ts *testscript.TestScript, neg bool, args []string) {
	withRedis(ts, func(ctx context.Context, client *goredis.Client) {
		if len(args) == 2 && !strings.Contains(args[1], "=") {
			ts.Check(client.Set(ctx, args[0], args[1], 0).Err())
			return
		}
		for _, arg := range args[1:] {
			field, value, _ := strings.Cut(arg, "=")
			if value == "" {
				ts.Check(client.HDel(ctx, args[0], field).Err())
				continue
			}
			ts.Check(client.HSet(ctx, args[0], field, value).Err())
		}
	})
}

// withRedis calls f with a client of the script's Redis.
func withRedis(ts *testscript.TestScript, f func(ctx context.Context, client *goredis.Client)) {
	opts, err := goredis.ParseURL(ts.Getenv("REDIS"))
	ts.Check(err)
	client := goredis.NewClient(opts)
	defer client.Close()
	f(context.Background(), client)
}

func doRedis(ts *testscript.TestScript, neg bool, args []string) {
	withRedis(ts, func(ctx context.Context, client *goredis.Client) {
		var words []any
		for _, arg := range args {
			words = append(words, arg)
		}
		answer, err := client.Do(ctx, words...).Result()
		if err != nil && !errors.Is(err, goredis.Nil) {
			ts.Check(err)
		}
		fmt.Fprintln(ts.Stdout(), answer)
	})
}

// theListener is the key of the script's subscription.
type theListener struct{}

// syncChannel is the channel by which running Lanyards tell each other of changes.
const syncChannel = "lanyard:global_sync"

func listenToRedis(ts *testscript.TestScript, neg bool, args []string) {
	opts, err := goredis.ParseURL(ts.Getenv("REDIS"))
	ts.Check(err)
	client := goredis.NewClient(opts)
	ts.Value(theTest{}).(testing.TB).Cleanup(func() { client.Close() })
	sub := client.Subscribe(context.Background(), syncChannel)
	_, err = sub.Receive(context.Background())
	ts.Check(err)
	*ts.Value(theListener{}).(**goredis.PubSub) = sub
}

func printHeard(ts *testscript.TestScript, neg bool, args []string) {
	const end = "the end"
	sub := *ts.Value(theListener{}).(**goredis.PubSub)
	withRedis(ts, func(ctx context.Context, client *goredis.Client) {
		ts.Check(client.Publish(ctx, syncChannel, end).Err())
	})
	for {
		message, err := sub.ReceiveMessage(context.Background())
		ts.Check(err)
		if message.Payload == end {
			break
		}
		fmt.Fprintln(ts.Stdout(), message.Payload)
	}
	ts.Check(sub.Close())
}

func rotateKey(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(ts.Exec("lanyardctl", append([]string{"apikey", "rotate"}, args...)...))
	key := ts.ReadFile("stdout")
	if !regexp.MustCompile(`^lnyd_[0-9a-f]{32}\n$`).MatchString(key) {
		ts.Fatalf("stdout is no API key alone")
	}
	if secret := shownSecret(ts.ReadFile("stderr")); secret != "" {
		ts.Fatalf("stderr shows the secret %q", secret)
	}
	ts.Check(os.WriteFile(ts.MkAbs("key.txt"), []byte(key), 0o600))
}

func makeDatabase(ts *testscript.TestScript, neg bool, args []string) {
	d := ts.Value(theServer{}).(func() *mongoserver.Server)().Database(ts.Value(theTest{}).(testing.TB))
	for _, variable := range d.Env() {
		name, value, _ := strings.Cut(variable, "=")
		ts.Setenv(name, value)
	}
	ts.Setenv("REFUSES", refuses(d.Limits))
}

// refuses names what a server refuses, for the names of files.
func refuses(l record.Limits) string {
	l.Server, l.MaxDocument = "", 0
	switch l {
	case record.Limits{Named: true, NoDots: true, NoDollars: true, NoNestedArray: true, NoDecimals: true}:
		return "names-arrays" // FerretDB
	case record.Limits{Named: true, NoDollars: true}:
		return "dollars" // MongoDB 4.4
	case record.Limits{Named: true}:
		return "nothing" // MongoDB 5.0 and later
	}
	return "what-no-known-server-refuses"
}

func startFerretDB(ts *testscript.TestScript, neg bool, args []string) {
	u, err := url.Parse(ferretdb.Start(ts.Value(theTest{}).(testing.TB)).URI)
	ts.Check(err)
	ts.Setenv("FERRETDB", u.Host)
}

// withDatabase calls f with the script's database.
func withDatabase(ts *testscript.TestScript, f func(ctx context.Context, db *mongo.Database)) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(ts.Getenv("MONGODB_URI")))
	ts.Check(err)
	defer func() { ts.Check(client.Disconnect(ctx)) }()
	f(ctx, client.Database(ts.Getenv("MONGODB_DATABASE")))
}

func startLanyard(ts *testscript.TestScript, neg bool, args []string) {
	file := ts.MkAbs(args[0])
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text, err := os.ReadFile(file)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(text) // a client that is gone needs no answer
	}))
	ts.Value(theTest{}).(testing.TB).Cleanup(s.Close)
	ts.Setenv("METRICS", s.URL+"/metrics")
	ts.Setenv("METRICS_ADDR", s.Listener.Addr().String())
}

func nameAddress(ts *testscript.TestScript, neg bool, args []string) {
	ts.Setenv("LISTEN", fmt.Sprintf("127.0.0.1:%d", redisserver.FreePort(ts.Value(theTest{}).(testing.TB))))
}

func awaitAnswer(ts *testscript.TestScript, neg bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[1])
	var got string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get("http://" + ts.Getenv("LISTEN") + "/" + args[0])
		if err != nil {
			got = err.Error()
			continue
		}
		text, err := io.ReadAll(answer.Body)
		ts.Check(errors.Join(err, answer.Body.Close()))
		if got = string(text); want.MatchString(got) {
			return
		}
	}
	ts.Fatalf("%s tells %s", args[0], got)
}

func insertDocuments(ts *testscript.TestScript, neg bool, args []string) {
	withDatabase(ts, func(ctx context.Context, db *mongo.Database) {
		for _, text := range args[1:] {
			var doc bson.D
			ts.Check(bson.UnmarshalExtJSON([]byte(text), false, &doc))
			_, err := db.Collection(args[0]).InsertOne(ctx, doc)
			ts.Check(err)
		}
	})
}

// setFields changes a user's document in place of an update, which FerretDB answers wrongly where only a name changes.
func setFields(ts *testscript.TestScript, neg bool, args []string) {
	withDatabase(ts, func(ctx context.Context, db *mongo.Database) {
		user := bson.D{{Key: "user_id", Value: args[1]}}
		var doc, fields bson.D // in order, so that what is set and removed again leaves the same document
		ts.Check(db.Collection(args[0]).FindOne(ctx, user).Decode(&doc))
		ts.Check(bson.UnmarshalExtJSON([]byte(args[2]), false, &fields))
		for _, f := range fields {
			at := slices.IndexFunc(doc, func(e bson.E) bool { return e.Key == f.Key })
			switch {
			case f.Value == nil && at >= 0:
				doc = slices.Delete(doc, at, at+1)
			case at >= 0:
				doc[at] = f
			case f.Value != nil:
				doc = append(doc, f)
			}
		}
		_, err := db.Collection(args[0]).ReplaceOne(ctx, user, doc)
		ts.Check(err)
	})
}

func deleteDocuments(ts *testscript.TestScript, neg bool, args []string) {
	withDatabase(ts, func(ctx context.Context, db *mongo.Database) {
		_, err := db.Collection(args[0]).DeleteMany(ctx, bson.D{{Key: "user_id", Value: args[1]}})
		ts.Check(err)
	})
}

func removeDocument(ts *testscript.TestScript, neg bool, args []string) {
	withDatabase(ts, func(ctx context.Context, db *mongo.Database) {
		_, err := db.Collection(args[0]).DeleteOne(ctx, bson.D{{Key: "_id", Value: args[1]}})
		ts.Check(err)
	})
}

func countDocuments(ts *testscript.TestScript, neg bool, args []string) {
	withDatabase(ts, func(ctx context.Context, db *mongo.Database) {
		n, err := db.Collection(args[0]).CountDocuments(ctx, bson.D{})
		ts.Check(err)
		if want, err := strconv.ParseInt(args[1], 10, 64); err != nil || n != want {
			ts.Fatalf("%s holds %d documents, want %s", args[0], n, args[1])
		}
	})
}

func startDiscord(ts *testscript.TestScript, neg bool, args []string) {
	o := discordserver.Options{PageMax: 1, Faults: map[int]discordserver.Fault{2: discordserver.Page(502), 4: discordserver.TooMany(0.2)}}
	for _, arg := range args {
		user, joined, _ := strings.Cut(arg, "=")
		id, ok := record.ParseUserID(user)
		if !ok {
			ts.Fatalf("%q is no user", user)
		}
		o.Members = append(o.Members, discordserver.Member{User: id, JoinedAt: joined})
	}
	s := discordserver.Start(ts.Value(theTest{}).(testing.TB), o)
	ts.Setenv("DISCORD", s.URL)
	ts.Setenv("GUILD", s.Guild)
	ts.Setenv("TOKEN", discordserver.Token)
}

func takeLease(ts *testscript.TestScript, neg bool, args []string) {
	ctx := context.Background()
	store, err := mongostore.Open(ctx, mongostore.Options{URI: ts.Getenv("MONGODB_URI"), Database: ts.Getenv("MONGODB_DATABASE")})
	ts.Check(err)
	defer func() { ts.Check(store.Close(ctx)) }()
	won, err := store.Leases().TakeLease(ctx, record.Lease{Name: record.SweepLease, Owner: lease.Self(), Heartbeat: time.Now(), Doing: args[0]}, record.Owner{})
	ts.Check(err)
	if !won {
		ts.Fatalf("somebody has the lease")
	}
}

func printDocuments(ts *testscript.TestScript, neg bool, args []string) {
	withDatabase(ts, func(ctx context.Context, db *mongo.Database) {
		cursor, err := db.Collection(args[0]).Find(ctx, bson.D{})
		ts.Check(err)
		var docs []bson.D
		ts.Check(cursor.All(ctx, &docs))
		var lines []string
		for _, doc := range docs {
			text, err := bson.MarshalExtJSON(sorted(doc), true, false)
			ts.Check(err)
			lines = append(lines, dateText.ReplaceAllString(string(text), `{"$$date":"DATE"}`))
		}
		slices.Sort(lines)
		fmt.Fprintln(ts.Stdout(), strings.Join(lines, "\n"))
	})
}

var dateText = regexp.MustCompile(`\{"\$date":\{"\$numberLong":"[0-9]+"\}\}`)

// sorted returns doc with its fields in order, at every depth.
func sorted(doc bson.D) bson.D {
	doc = slices.Clone(doc)
	for i, e := range doc {
		if inner, ok := e.Value.(bson.D); ok {
			doc[i].Value = sorted(inner)
		}
	}
	slices.SortFunc(doc, func(a, b bson.E) int { return strings.Compare(a.Key, b.Key) })
	return doc
}

// secretText matches what no output may show: the form of an API key, and the passwords and the token of these tests.
var secretText = regexp.MustCompile(`[0-9a-f]{32}|hunter2|` + regexp.QuoteMeta(discordserver.Token))

// shownSecret returns what text shows of what no output may show. Of the password of the server under test it tells no
// more than that.
func shownSecret(text string) string {
	for secret := range mongoserver.Secrets() {
		if strings.Contains(text, secret) {
			return "password in " + mongoserver.Variable
		}
	}
	return secretText.FindString(text)
}

func runAndCheckExit(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	starts := want != exit.Usage && !slices.Contains(args, "--help")
	if starts && (slices.Contains(args, "demo") || strings.Contains(ts.Getenv("MONGODB_URI")+strings.Join(args, " "), "embedded:")) {
		ts.Value(theTest{}).(testing.TB).Attr(ferretdb.Attribute, ferretdb.OnFerretDB)
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
	for _, stream := range []string{"stdout", "stderr"} {
		if secret := shownSecret(ts.ReadFile(stream)); secret != "" {
			ts.Fatalf("%s shows the secret %q", stream, secret)
		}
	}
}

func countReasons(ts *testscript.TestScript, neg bool, args []string) {
	counts := map[string]int{}
	for text := range strings.Lines(ts.ReadFile(args[0])) {
		var line struct {
			Key, Kind, Reason string
			ValueBase64       *string `json:"value_base64"`
			Type              string
		}
		ts.Check(json.Unmarshal([]byte(text), &line))
		if line.ValueBase64 == nil && line.Type == "" {
			ts.Fatalf("%s: a line without a value and without its type", args[0])
		}
		if line.ValueBase64 != nil {
			_, err := base64.StdEncoding.DecodeString(*line.ValueBase64)
			ts.Check(err)
		}
		counts[line.Reason]++
	}
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintln(ts.Stdout(), counts[reason], reason)
	}
}

// variable are the parts of an output that differ from run to run.
var variable = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`[0-9]{8}T[0-9]{6}\.[0-9]{3}Z`), "TIME"},
	{regexp.MustCompile(`Took [0-9][^,\n]* s`), "Took TIME"},
	{regexp.MustCompile(`Dates were judged by \S+ \S+ UTC`), "Dates were judged by TIME"},
	{regexp.MustCompile(`"now": ".*"`), `"now": "TIME"`},
	{regexp.MustCompile(`, [0-9,]+ records/s`), ""},
	{regexp.MustCompile(` time(stamp)?="[^"]*[1-9][^"]*"`), ` time$1="TIME"`},
	{regexp.MustCompile(`, [0-9,]+ keys/s, in .* s`), ", RATE, in TIME"},
	{sweepID, "SWEEP"},
	{regexp.MustCompile(`"started_at": ".*"`), `"started_at": "TIME"`},
	{regexp.MustCompile(`"([a-z_]+_ms|[a-z]+_per_second)": [0-9]+`), `"$1": 0`},
	{regexp.MustCompile(`(?s)(Of that time it waited|Reading the source took) .*?CPU time\.\n`), ""},
}

// sweepID matches the ID of a sweep.
var sweepID = regexp.MustCompile(`[0-9]{8}-[0-9]{6}-[0-9]{3}-[0-9a-f]{4}`)

func keepSweepID(ts *testscript.TestScript, neg bool, args []string) {
	id := sweepID.FindString(ts.ReadFile("stdout"))
	if id == "" {
		ts.Fatalf("no sweep's ID in the last output")
	}
	ts.Setenv("SWEEP", id)
}

func cleanOutput(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	for _, name := range []string{"REDIS", "MONGODB_URI", "MONGODB_DATABASE", "REDIS_ADDR", "WORK"} {
		if value := ts.Getenv(name); value != "" {
			text = strings.ReplaceAll(text, redact.HideURI(value), "$"+name)
		}
	}
	for _, v := range variable {
		text = v.pattern.ReplaceAllString(text, v.instead)
	}
	fmt.Fprint(ts.Stdout(), text)
}
