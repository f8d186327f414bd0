package location

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// Location is the URI of a store, and the flag or variable that named it.
type Location struct {
	URI  string
	From string
}

// Shown returns the URI without its password, as one line that is fit for a terminal.
func (l Location) Shown() string { return ui.PrintableLine(redact.HideURI(l.URI)) }

// PasswordWarning returns a warning where everybody who can list processes can read a password in the URI, which the
// variable would hide; else nothing.
func (l Location) PasswordWarning(variable string) []string {
	if u, err := redact.Parse(l.URI); err != nil || !u.HasSecret() || !strings.HasPrefix(l.From, "-") {
		return nil
	}
	return []string{fmt.Sprintf("everybody on this machine can read the password in %s: set %s instead", l.From, variable)}
}

// unknownHost is the next step where the name of a host cannot be found.
func unknownHost(from string) string {
	return "is the name right in " + from + "? The name of a Docker Compose service is known inside its network only: run lanyardctl there, " +
		"or publish the service's port and name 127.0.0.1 (docs/docker.md)"
}

// Variables are all that name a source, a target or a database, in the order in which Lanyard reads them.
var Variables = append(redisVariables, redisHost, redisIPv6, mongoVariable, databaseVariable)

// redisVariables name a Redis URI.
var redisVariables = []string{"REDIS_DSN", "REDIS_URI", "REDIS_URL"}

const (
	redisHost        = "REDIS_HOST"
	redisIPv6        = "REDIS_IPV6"
	mongoVariable    = "MONGODB_URI"
	databaseVariable = "MONGODB_DATABASE"
)

// ResolveSource returns the source: the flag's, else what Lanyard's own variables name, in Lanyard's order.
func (r Registry) ResolveSource(flag string, env func(string) string) (Location, error) {
	p, err := r.sourceNamed(flag, env)
	if err != nil {
		return p, err
	}
	s, err := r.source(p)
	if err != nil {
		return p, err
	}
	return p, s.Check(p)
}

// naming returns the location that the flag names, or else a variable. It fails where none does.
type naming func(flag string, env func(string) string) (Location, error)

func redisSourceNamed(flag string, env func(string) string) (Location, error) {
	return redisIsNamed(flag, env, "give --redis URI or --redis rdb:FILE, or set REDIS_DSN, REDIS_URI, REDIS_URL or REDIS_HOST as Lanyard has it")
}

func redisTargetNamed(flag string, env func(string) string) (Location, error) {
	return redisIsNamed(flag, env, "give --redis URI, or set REDIS_DSN, REDIS_URI, REDIS_URL or REDIS_HOST as Lanyard has it")
}

func redisIsNamed(flag string, env func(string) string, hint string) (Location, error) {
	p, err := redisNamed(flag, env)
	if err == nil && p.URI == "" {
		err = exit.WrongUse("no Redis is named", hint)
	}
	return p, err
}

func mongoTargetNamed(flag string, env func(string) string) (Location, error) {
	return mongoIsNamed(flag, env, "give --mongo URI or set MONGODB_URI; to try it without a server, give --mongo embedded:DIR")
}

func mongoSourceNamed(flag string, env func(string) string) (Location, error) {
	return mongoIsNamed(flag, env, "give --mongo URI or --mongo embedded:DIR, or set MONGODB_URI")
}

func mongoIsNamed(flag string, env func(string) string, hint string) (Location, error) {
	p := mongoNamed(flag, env)
	if p.URI == "" {
		return p, exit.WrongUse("no MongoDB is named", hint)
	}
	return p, nil
}

// redisNamed returns the Redis that the flag names, or else a variable. It is zero where none does.
func redisNamed(flag string, env func(string) string) (Location, error) {
	p := Location{URI: Tidied(flag), From: "--redis"}
	for _, name := range redisVariables {
		if p.URI == "" {
			p = Location{URI: Tidied(env(name)), From: name}
		}
	}
	if host := Tidied(env(redisHost)); p.URI == "" && host != "" {
		p = Location{URI: "redis://" + net.JoinHostPort(strings.Trim(host, "[]"), "6379"), From: redisHost}
		if u, err := redact.Parse(p.URI); err != nil || "redis://"+u.Hosts != p.URI {
			return p, exit.WrongUse("REDIS_HOST is no name of a host (it is not shown: it may hold a password)",
				"give the name or the address alone; REDIS_URI takes a port, a user and a password, too")
		}
	}
	if p.URI == "" {
		return Location{}, nil
	}
	return p, nil
}

// ForceIPv6 reports whether Redis is to be reached by IPv6 only, as Lanyard reads it.
func ForceIPv6(env func(string) string) bool { return env(redisIPv6) == "true" }

// ResolveTarget returns the target: the flag's, else what Lanyard's own variables name. There is no default, since writing into the wrong
// database is worse than a question.
func (r Registry) ResolveTarget(flag string, env func(string) string) (Location, error) {
	p, err := r.targetNamed(flag, env)
	if err != nil {
		return p, err
	}
	t, err := r.target(p)
	if err != nil {
		return p, err
	}
	return p, t.Check(p)
}

// mongoNamed returns the MongoDB that the flag names, or else a variable. It is zero where none does.
func mongoNamed(flag string, env func(string) string) Location {
	p := Location{URI: Tidied(flag), From: "--mongo"}
	if p.URI == "" {
		p = Location{URI: Tidied(env(mongoVariable)), From: mongoVariable}
	}
	if p.URI == "" {
		return Location{}
	}
	return p
}

// parseURI parses the URI of a server. The form is for a hint.
func parseURI(at Location, form string) (redact.URI, error) {
	u, err := redact.Parse(at.URI)
	if err != nil {
		return u, badURI(at, "escape @ : / ? # in a user name or password: write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 "+
			"and % as %25; the form is "+form)
	}
	for host := range strings.SplitSeq(u.Hosts, ",") {
		if number, err := strconv.Atoi(host[strings.LastIndexByte(host, ':')+1:]); err == nil && strings.Contains(host, ":") && number > math.MaxUint16 {
			return u, exit.WrongUse(at.From+": the number of the port is too large", fmt.Sprintf("a port is at most %d; the form is %s", math.MaxUint16, form))
		}
	}
	return u, nil
}

// badURI returns the error for what is no URI with certainty, which shows nothing of it.
func badURI(p Location, hint string) error {
	return exit.WrongUse(p.From+" is "+redact.ErrUncertain.Error(), hint)
}

// DefaultDatabase is the name of the app's database.
const DefaultDatabase = "lanyard"

// serversDatabases are MongoDB's own: what is written there can disappear, or stop the server.
var serversDatabases = []string{"admin", "config", "local"}

// ResolveDatabase returns the database: the flag's, else MONGODB_DATABASE's, else "lanyard", as the app does. The
// database that the URI names is ignored by the app, so the warning says where it is another.
func ResolveDatabase(flag, mongoURI string, env func(string) string) (database, warning string, err error) {
	database, from := flag, "--database"
	if database == "" {
		database, from = env(databaseVariable), databaseVariable
	}
	if database == "" {
		database, from = DefaultDatabase, ""
	}
	// A "@" is refused, too, though MongoDB takes it: it is the sign of a URI in the wrong place, which no report may
	// show.
	if len(database) > 63 || strings.ContainsFunc(database, unicode.IsControl) || strings.ContainsAny(database, "/\\. \"$*<>:|?@") {
		return "", "", exit.WrongUse(from+" cannot be the name of a MongoDB database (it is not shown: it may hold a password)",
			`at most 63 bytes, without any of / \ . " $ * < > : | ? @, spaces and control characters`)
	}
	if slices.Contains(serversDatabases, strings.ToLower(database)) {
		return "", "", exit.WrongUse(fmt.Sprintf("%s: the database %q is MongoDB's own", from, database),
			fmt.Sprintf("name Lanyard's, which is %q unless MONGODB_DATABASE says otherwise; a user that admin knows needs authSource=admin in the URI", DefaultDatabase))
	}
	u, _ := redact.Parse(mongoURI) // that of an embedded database names none
	if named := u.Database(); named != "" && named != database {
		warning = fmt.Sprintf("the MongoDB URI names the database %q, which Lanyard ignores: %q is used (--database or "+
			"MONGODB_DATABASE names another)", named, database)
	}
	return database, warning, nil
}
