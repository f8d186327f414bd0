package main

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// lookupFunc reads an environment variable, as [os.LookupEnv] does.
type lookupFunc func(name string) (string, bool)

// value returns the variable's value. One that is set to nothing counts as unset.
func (f lookupFunc) value(name string) string {
	v, _ := f(name)
	return v
}

// place is the URI of a store, and the flag or variable that named it.
type place struct {
	URI  string
	From string
}

// shown returns the URI without its password, as one line that is fit for a terminal.
func (p place) shown() string { return printableLine(redactURI(p.URI)) }

// onCommandLine tells whether everybody who can list processes can read the URI.
func (p place) onCommandLine() bool { return strings.HasPrefix(p.From, "-") }

// redisVariables name a Redis URI, in the order in which Lanyard reads them.
var redisVariables = []string{"REDIS_DSN", "REDIS_URI", "REDIS_URL"}

const (
	redisSchemes = "redis://, rediss:// (TLS), unix:// and rdb:FILE"
	mongoSchemes = "mongodb://, mongodb+srv:// and embedded:DIR"
)

// resolveRedis returns the source: the flag's, else what Lanyard's own variables name, in Lanyard's order.
func resolveRedis(flag string, env lookupFunc) (place, error) {
	p := place{URI: flag, From: "--redis"}
	for _, name := range redisVariables {
		if p.URI == "" {
			p = place{URI: env.value(name), From: name}
		}
	}
	if host := env.value("REDIS_HOST"); p.URI == "" && host != "" {
		p = place{URI: "redis://" + net.JoinHostPort(strings.Trim(host, "[]"), "6379"), From: "REDIS_HOST"}
	}
	if p.URI == "" {
		return place{}, usageError("no Redis is named",
			"give --redis URI or --redis rdb:FILE, or set REDIS_DSN, REDIS_URI, REDIS_URL or REDIS_HOST as Lanyard has it")
	}
	return p, checkRedisURI(p)
}

// forceIPv6 tells whether Redis is to be reached by IPv6 only, as Lanyard reads it.
func forceIPv6(env lookupFunc) bool { return env.value("REDIS_IPV6") == "true" }

func checkRedisURI(p place) error {
	switch scheme := schemeOf(p.URI); scheme {
	case "redis", "rediss", "unix":
	case "rdb":
		_, err := parseRDB(p)
		return err
	default:
		return unknownScheme(p, scheme, redisSchemes)
	}
	// The parser's own error would show parts of the password.
	if _, err := url.Parse(p.URI); err != nil || lateAt(p.URI) {
		return badURI(p)
	}
	return nil
}

// resolveMongo returns the target: the flag's, else MONGODB_URI's. There is no default, since writing into the wrong
// database is worse than a question.
func resolveMongo(flag string, env lookupFunc) (place, error) {
	p := place{URI: flag, From: "--mongo"}
	if p.URI == "" {
		p = place{URI: env.value("MONGODB_URI"), From: "MONGODB_URI"}
	}
	if p.URI == "" {
		return place{}, usageError("no MongoDB is named",
			"give --mongo URI or set MONGODB_URI; to try it without a server, give --mongo embedded:DIR")
	}
	return p, checkMongoURI(p)
}

func checkMongoURI(p place) error {
	switch scheme := schemeOf(p.URI); scheme {
	case "embedded":
		if embeddedDir(p.URI) == "" {
			return usageError(p.From+": embedded: names no folder", "give the folder, such as embedded:./lanyard-data")
		}
		return nil
	case "mongodb", "mongodb+srv":
	default:
		return unknownScheme(p, scheme, mongoSchemes)
	}
	_, rest, ok := strings.Cut(p.URI, "://")
	if !ok || lateAt(p.URI) {
		return badURI(p)
	}
	authority, _ := cutAuthority(rest)
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		if !escaped(user) || !escaped(password) {
			return badURI(p)
		}
		authority = authority[at+1:]
	}
	if authority == "" {
		return usageError(p.From+": the URI names no host", "such as mongodb://localhost:27017")
	}
	return nil
}

// escaped tells whether s holds no character that ends a user name or a password.
func escaped(s string) bool {
	_, err := url.PathUnescape(s)
	return err == nil && !strings.ContainsAny(s, ":@/?#[]")
}

// lateAt tells whether a "@" stands after the hosts, as it does after an unescaped "/" in a password.
func lateAt(uri string) bool {
	_, rest, _ := strings.Cut(uri, "://")
	_, path := cutAuthority(rest)
	path, _, _ = strings.Cut(path, "?")
	return strings.Contains(path, "@")
}

func badURI(p place) error {
	return usageError(p.From+" is no valid URI (it is not shown, as it may hold a password)",
		"in a user name or password, write / as %2F, @ as %40, : as %3A, % as %25, ? as %3F and # as %23")
}

func unknownScheme(p place, scheme, known string) error {
	if scheme == "" {
		return usageError(p.From+": what it names is no URI (it is not shown, as it may hold a password)",
			"known are "+known)
	}
	return usageError(fmt.Sprintf("%s: unknown scheme %q", p.From, scheme), "known are "+known)
}

// schemeOf returns the URI's scheme in lower case. It is empty where the text before the colon could be anything else,
// such as a host or a password.
func schemeOf(uri string) string {
	scheme, rest, ok := strings.Cut(uri, ":")
	scheme = strings.ToLower(scheme)
	if !ok || strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+.-") != "" {
		return ""
	}
	if !strings.HasPrefix(rest, "//") && scheme != "embedded" && scheme != "rdb" {
		return ""
	}
	return scheme
}

// embeddedDir returns the folder of an "embedded:DIR" URI, and nothing for another URI.
func embeddedDir(uri string) string {
	if schemeOf(uri) != "embedded" {
		return ""
	}
	return strings.TrimPrefix(uri[len("embedded:"):], "//")
}

const defaultDatabase = "lanyard"

// resolveDatabase returns the database: the flag's, else MONGODB_DATABASE's, else "lanyard", as the app does. The
// database that the URI names is ignored by the app, so the warning says where it is another.
func resolveDatabase(flag, mongoURI string, env lookupFunc) (database, warning string, err error) {
	database, from := flag, "--database"
	if database == "" {
		database, from = env.value("MONGODB_DATABASE"), "MONGODB_DATABASE"
	}
	if database == "" {
		database, from = defaultDatabase, ""
	}
	if len(database) > 63 || strings.ContainsAny(database, "/\\. \"$*<>:|?\x00") {
		return "", "", usageError(fmt.Sprintf("%s: %q cannot be the name of a MongoDB database", from, database),
			`at most 63 bytes, without any of / \ . " $ * < > : | ? and space`)
	}
	if named := uriDatabase(mongoURI); named != "" && named != database {
		warning = fmt.Sprintf("the MongoDB URI names the database %q, which Lanyard ignores: %q is used (--database or "+
			"MONGODB_DATABASE names another)", named, database)
	}
	return database, warning, nil
}

// uriDatabase returns the database that a mongodb URI names.
func uriDatabase(uri string) string {
	_, rest, _ := strings.Cut(uri, "://")
	if embeddedDir(uri) != "" {
		return ""
	}
	_, path := cutAuthority(rest)
	path, _, _ = strings.Cut(path, "?")
	name := strings.TrimPrefix(path, "/")
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}
