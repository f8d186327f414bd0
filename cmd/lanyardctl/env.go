package main

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// place is the URI of a store, and the flag or variable that named it.
type place struct {
	URI  string
	From string
}

// shown returns the URI without its password, as one line that is fit for a terminal.
func (p place) shown() string { return ui.PrintableLine(redact.HideURI(p.URI)) }

// onCommandLine tells whether everybody who can list processes can read the URI.
func (p place) onCommandLine() bool { return strings.HasPrefix(p.From, "-") }

// redisVariables name a Redis URI, in the order in which Lanyard reads them.
var redisVariables = []string{"REDIS_DSN", "REDIS_URI", "REDIS_URL"}

const (
	redisSchemes = "redis://, rediss:// (TLS), unix:// and rdb:FILE"
	mongoSchemes = "mongodb://, mongodb+srv:// and embedded:DIR"
	redisForm    = "redis://USER:PASSWORD@HOST:PORT/N"
	mongoForm    = "mongodb://USER:PASSWORD@HOST:27017/?authSource=admin"
)

// resolveRedis returns the source: the flag's, else what Lanyard's own variables name, in Lanyard's order.
func resolveRedis(flag string, env func(string) string) (place, error) {
	p := place{URI: flag, From: "--redis"}
	for _, name := range redisVariables {
		if p.URI == "" {
			p = place{URI: env(name), From: name}
		}
	}
	if host := env("REDIS_HOST"); p.URI == "" && host != "" {
		p = place{URI: "redis://" + net.JoinHostPort(strings.Trim(host, "[]"), "6379"), From: "REDIS_HOST"}
		if u, err := redact.Parse(p.URI); err != nil || "redis://"+u.Hosts != p.URI {
			return p, exit.WrongUse("REDIS_HOST is no name of a host (it is not shown: it may hold a password)",
				"give the name or the address alone; REDIS_URI takes a port, a user and a password, too")
		}
	}
	if p.URI == "" {
		return place{}, exit.WrongUse("no Redis is named",
			"give --redis URI or --redis rdb:FILE, or set REDIS_DSN, REDIS_URI, REDIS_URL or REDIS_HOST as Lanyard has it")
	}
	return p, checkRedisURI(p)
}

// forceIPv6 tells whether Redis is to be reached by IPv6 only, as Lanyard reads it.
func forceIPv6(env func(string) string) bool { return env("REDIS_IPV6") == "true" }

func checkRedisURI(p place) error {
	if rdbURI(p.URI) {
		_, err := parseRDB(p)
		return err
	}
	_, err := parseURI(p, redisSchemes, redisForm, "redis", "rediss", "unix")
	return err
}

// resolveMongo returns the target: the flag's, else MONGODB_URI's. There is no default, since writing into the wrong
// database is worse than a question.
func resolveMongo(flag string, env func(string) string) (place, error) {
	p := place{URI: flag, From: "--mongo"}
	if p.URI == "" {
		p = place{URI: env("MONGODB_URI"), From: "MONGODB_URI"}
	}
	if p.URI == "" {
		return place{}, exit.WrongUse("no MongoDB is named",
			"give --mongo URI or set MONGODB_URI; to try it without a server, give --mongo embedded:DIR")
	}
	return p, checkMongoURI(p)
}

func checkMongoURI(p place) error {
	if redact.Scheme(p.URI) == "embedded" {
		if embeddedDir(p.URI) == "" {
			return exit.WrongUse(p.From+": embedded: names no folder", "give the folder, such as embedded:./lanyard-data")
		}
		return nil
	}
	u, err := parseURI(p, mongoSchemes, mongoForm, "mongodb", "mongodb+srv")
	if err == nil && u.Hosts == "" {
		return exit.WrongUse(p.From+": the URI names no host", "such as mongodb://localhost:27017")
	}
	return err
}

// parseURI parses the URI of a server that has one of the schemes. Known and form are for hints.
func parseURI(p place, known, form string, schemes ...string) (redact.URI, error) {
	scheme := redact.Scheme(p.URI)
	u, err := redact.Parse(p.URI)
	switch {
	case scheme == "":
		return u, badURI(p, "known are "+known)
	case !slices.Contains(schemes, scheme):
		return u, exit.WrongUse(fmt.Sprintf("%s: unknown scheme %q", p.From, scheme), "known are "+known)
	case err != nil:
		return u, badURI(p, "escape @ : / ? # in a user name or password: write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23 "+
			"and % as %25; the form is "+form)
	}
	return u, nil
}

// badURI returns the error for what is no URI with certainty, which shows nothing of it.
func badURI(p place, hint string) error {
	return exit.WrongUse(p.From+" is "+redact.ErrUncertain.Error(), hint)
}

// embeddedDir returns the folder of an "embedded:DIR" URI, and nothing for another URI.
func embeddedDir(uri string) string {
	if redact.Scheme(uri) != "embedded" {
		return ""
	}
	return strings.TrimPrefix(uri[len("embedded:"):], "//")
}

const defaultDatabase = "lanyard"

// resolveDatabase returns the database: the flag's, else MONGODB_DATABASE's, else "lanyard", as the app does. The
// database that the URI names is ignored by the app, so the warning says where it is another.
func resolveDatabase(flag, mongoURI string, env func(string) string) (database, warning string, err error) {
	database, from := flag, "--database"
	if database == "" {
		database, from = env("MONGODB_DATABASE"), "MONGODB_DATABASE"
	}
	if database == "" {
		database, from = defaultDatabase, ""
	}
	// A "@" is refused, too, though MongoDB takes it: it is the sign of a URI in the wrong place, which no report may show.
	if len(database) > 63 || strings.ContainsAny(database, "/\\. \"$*<>:|?@\x00") {
		return "", "", exit.WrongUse(from+" cannot be the name of a MongoDB database (it is not shown: it may hold a password)",
			`at most 63 bytes, without any of / \ . " $ * < > : | ? @ and space`)
	}
	u, _ := redact.Parse(mongoURI) // that of an embedded database names none
	if named := u.Database(); named != "" && named != database {
		warning = fmt.Sprintf("the MongoDB URI names the database %q, which Lanyard ignores: %q is used (--database or "+
			"MONGODB_DATABASE names another)", named, database)
	}
	return database, warning, nil
}
