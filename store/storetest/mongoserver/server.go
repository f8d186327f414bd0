// Package mongoserver gives tests a database of their own, on the MongoDB server that LANYARDCTL_TEST_MONGO names by its
// URI, else on a fresh FerretDB. It is for tests only.
//
// The URI may hold a user, a password and options. A database in it says where the user is known, as for every client,
// and nothing else: each test works in a database of its own, with a name that no other has, which it drops at its end.
// Where servers differ in what they can hold, a test asks [Server.Limits] and not for the server's name.
//
// Where a test runs is told to `go test -json`, as the attribute "server" of the test.
package mongoserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

// Variable names the server to test on.
const Variable = "LANYARDCTL_TEST_MONGO"

// OnNamed is the value of the attribute of tests that run on the server which [Variable] names.
const OnNamed = "named"

// Server is a server to test on.
type Server struct {
	URI    string // without a database; it may hold a password
	Facts  string // for people: "MongoDB 5.0.7, standalone"
	Limits record.Limits

	named bool
}

// Named returns the server that [Variable] names; nil where it names none.
var Named = sync.OnceValues(func() (*Server, error) {
	uri := os.Getenv(Variable)
	if uri == "" {
		return nil, nil
	}
	s := &Server{URI: parse(uri).withoutDatabase(), named: true}
	if err := s.identify(); err != nil {
		return nil, fmt.Errorf("%s: %w", Variable, err)
	}
	return s, nil
})

// Start returns the server that [Variable] names, which may hold other tests' databases, else a fresh FerretDB that
// stops with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := Named()
	if err != nil {
		t.Fatal(err)
	}
	if s != nil {
		t.Attr(ferretdb.Attribute, OnNamed)
		return s
	}
	s = &Server{URI: ferretdb.Start(t).URI}
	if err := s.identify(); err != nil {
		t.Fatal(err)
	}
	return s
}

// URI returns the URI of [Start]'s server.
func URI(t testing.TB) string {
	t.Helper()
	return Start(t).URI
}

// identify asks the server what it is. Its errors show no password.
func (s *Server) identify() error {
	ctx := context.Background()
	store, err := mongo.Open(ctx, mongo.Options{URI: s.URI, Database: "admin"})
	if err != nil {
		return err
	}
	s.Limits = store.Limits()
	s.Facts = s.Limits.Server + ", " + store.Info().Topology
	return store.Close(ctx)
}

// Database is an empty database of a test's own.
type Database struct {
	*Server
	Name string
}

// New returns a database on [Start]'s server.
func New(t testing.TB) *Database {
	t.Helper()
	return Start(t).Database(t)
}

// Database returns another database on the server. It is dropped with the test.
func (s *Server) Database(t testing.TB) *Database {
	t.Helper()
	d := &Database{Server: s, Name: "lanyardctl_test_" + strings.ToLower(rand.Text()[:12])}
	if !s.named {
		return d // it goes with its server
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		client, err := driver.Connect(options.Client().ApplyURI(s.URI))
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Database(d.Name).Drop(ctx); err != nil {
			t.Errorf("drop the database of the test: %v", err)
		}
		_ = client.Disconnect(ctx)
	})
	return d
}

// Env returns the variables by which lanyardctl finds the database, so that no password stands among arguments.
func (d *Database) Env() []string {
	return []string{"MONGODB_URI=" + d.URI, "MONGODB_DATABASE=" + d.Name}
}

// Connect returns the database. The connections end with the test.
func (d *Database) Connect(t testing.TB) *driver.Database {
	t.Helper()
	client, err := driver.Connect(options.Client().ApplyURI(d.URI))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client.Database(d.Name)
}

// address are the parts of a MongoDB URI, as they stand there. It has several hosts where [url.Parse] takes one.
type address struct {
	scheme, user, password, hosts, database, options string
	hasUser, hasPassword                             bool
}

func parse(uri string) address {
	var a address
	scheme, rest, _ := strings.Cut(uri, "://")
	rest, a.options, _ = strings.Cut(rest, "?")
	a.scheme = scheme
	a.hosts, a.database, _ = strings.Cut(rest, "/")
	if user, hosts, ok := strings.Cut(a.hosts, "@"); ok {
		a.hosts, a.hasUser = hosts, true
		a.user, a.password, a.hasPassword = strings.Cut(user, ":")
	}
	return a
}

func (a address) String() string {
	var b strings.Builder
	b.WriteString(a.scheme + "://")
	if a.hasUser {
		b.WriteString(a.user)
		if a.hasPassword {
			b.WriteString(":" + a.password)
		}
		b.WriteString("@")
	}
	b.WriteString(a.hosts + "/" + a.database)
	if a.options != "" {
		b.WriteString("?" + a.options)
	}
	return b.String()
}

// withoutDatabase returns the URI without its database, which the user is still known to.
func (a address) withoutDatabase() string {
	if a.hasUser && a.database != "" && !strings.Contains(strings.ToLower("&"+a.options), "&authsource=") {
		a.options = strings.TrimPrefix(a.options+"&authSource="+a.database, "&")
	}
	a.database = ""
	return a.String()
}

// Secrets returns the texts that no output may show, with what may stand there instead: the password of the server that
// [Variable] names, within its URI and, if it is no ordinary word, alone.
func Secrets() map[string]string {
	const hidden = "xxxxx"
	a := parse(os.Getenv(Variable))
	secrets := make(map[string]string)
	if a.password == "" {
		return secrets
	}
	passwords := []string{a.password}
	if plain, err := url.PathUnescape(a.password); err == nil && plain != a.password {
		passwords = append(passwords, plain)
	}
	for _, password := range passwords {
		secrets[":"+password+"@"] = ":" + hidden + "@"
		if len(password) >= 8 && strings.Trim(password, "abcdefghijklmnopqrstuvwxyz") != "" {
			secrets[password] = hidden
		}
	}
	return secrets
}

// Hide returns text without [Secrets].
func Hide(text string) string {
	for secret, instead := range Secrets() {
		text = strings.ReplaceAll(text, secret, instead)
	}
	return text
}

// Direct returns the URI of one host of uri's deployment, whatever set that is in.
func Direct(uri, host string) string {
	a := parse(uri)
	if a.scheme == "mongodb+srv" { // which implies it
		a = a.with("tls", "true")
	}
	a.scheme, a.hosts = "mongodb", host
	return a.with("directConnection", "true").String()
}

// InSet returns uri with another name of its replica set.
func InSet(uri, set string) string { return parse(uri).with("replicaSet", set).String() }

// with returns a with an option of the value, and without those that contradict it.
func (a address) with(name, value string) address {
	kept := []string{name + "=" + value}
	for option := range strings.SplitSeq(a.options, "&") {
		switch key, _, _ := strings.Cut(strings.ToLower(option), "="); key {
		case "", "replicaset", "directconnection":
		default:
			kept = append(kept, option)
		}
	}
	a.options = strings.Join(kept, "&")
	return a
}
