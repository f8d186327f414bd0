package location

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/exit/exittest"
	"github.com/lanyardctl/lanyardctl/internal/redact"
)

func TestRedisIsFoundAsLanyardFindsIt(t *testing.T) {
	tests := map[string]struct {
		flag string
		env  []string
		want Location
	}{
		"the flag comes first": {"redis://flag", []string{"REDIS_DSN", "redis://dsn"}, Location{"redis://flag", "--redis"}},
		"then REDIS_DSN": {"", []string{"REDIS_URL", "redis://url", "REDIS_URI", "redis://uri", "REDIS_DSN", "redis://dsn"},
			Location{"redis://dsn", "REDIS_DSN"}},
		"then REDIS_URI": {"", []string{"REDIS_URL", "redis://url", "REDIS_URI", "redis://uri", "REDIS_HOST", "host"},
			Location{"redis://uri", "REDIS_URI"}},
		"then REDIS_URL":                   {"", []string{"REDIS_HOST", "host", "REDIS_URL", "redis://url"}, Location{"redis://url", "REDIS_URL"}},
		"then REDIS_HOST":                  {"", []string{"REDIS_HOST", "host"}, Location{"redis://host:6379", "REDIS_HOST"}},
		"a host may be an IPv6 address":    {"", []string{"REDIS_HOST", "::1"}, Location{"redis://[::1]:6379", "REDIS_HOST"}},
		"also in brackets":                 {"", []string{"REDIS_HOST", "[::1]"}, Location{"redis://[::1]:6379", "REDIS_HOST"}},
		"an empty variable counts as none": {"", []string{"REDIS_DSN", "", "REDIS_URI", "", "REDIS_URL", "redis://url"}, Location{"redis://url", "REDIS_URL"}},
		"TLS":                              {"rediss://h:6380/1", nil, Location{"rediss://h:6380/1", "--redis"}},
		"a socket":                         {"unix://u:p@/run/redis.sock?db=2", nil, Location{"unix://u:p@/run/redis.sock?db=2", "--redis"}},
		"the scheme in capitals":           {"REDIS://h", nil, Location{"REDIS://h", "--redis"}},
		"several addresses":                {"redis://h:1?addr=h:2&addr=h:3", nil, Location{"redis://h:1?addr=h:2&addr=h:3", "--redis"}},
		"an RDB file":                      {"rdb:./dump.rdb", nil, Location{"rdb:./dump.rdb", "--redis"}},
		"an RDB file in a variable":        {"", []string{"REDIS_URI", "rdb:dump.rdb?db=2"}, Location{"rdb:dump.rdb?db=2", "REDIS_URI"}},
		"an escaped password":              {"redis://:p%2Fw%40@h", nil, Location{"redis://:p%2Fw%40@h", "--redis"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Default().ResolveSource(test.flag, exittest.Environment(test.env...))
			if err != nil || got != test.want {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestWrongRedisIsAUsageError(t *testing.T) {
	tests := map[string]struct {
		flag   string
		env    []string
		secret string
		parts  []string
	}{
		"none at all":                    {"", nil, "", []string{"--redis", "REDIS_DSN", "REDIS_URI", "REDIS_URL", "REDIS_HOST"}},
		"unknown scheme":                 {"http://h", nil, "", []string{`unknown scheme "http"`, "redis://", "rediss://", "unix://"}},
		"the target's scheme":            {"mongodb://u:hunter2@h", nil, "hunter2", []string{`unknown scheme "mongodb"`}},
		"no scheme":                      {"localhost:6379", nil, "localhost", []string{"--redis", "redis://"}},
		"no scheme, with a password":     {"user:hunter2@h:1", nil, "hunter2", []string{"--redis"}},
		"a variable is named as such":    {"", []string{"REDIS_URL", "http://h"}, "", []string{"REDIS_URL"}},
		"an RDB file without a name":     {"rdb:", nil, "", []string{"names no file", "rdb:./dump.rdb"}},
		"nothing but parameters":         {"rdb:?db=1", nil, "", []string{"names no file"}},
		"an unknown parameter":           {"rdb:dump.rdb?database=1", nil, "", []string{`"database=1"`, "db=N", "rename"}},
		"a second parameter":             {"rdb:dump.rdb?db=1&x=y", nil, "", []string{`"1&x=y" is no number`}},
		"a question mark in a name":      {"rdb:what?.rdb?db=1", nil, "", []string{`".rdb?db=1"`, "rename the file"}},
		"a question mark and no more":    {"rdb:dump.rdb?", nil, "", []string{"db=N"}},
		"a database that is no number":   {"rdb:dump.rdb?db=one", nil, "", []string{`"one"`}},
		"a database below zero":          {"rdb:dump.rdb?db=-1", nil, "", []string{`"-1"`}},
		"a database of nothing":          {"rdb:dump.rdb?db=", nil, "", []string{`""`}},
		"a slash in the password":        {"redis://:12/hunter2@h", nil, "hunter2", []string{"%2F"}},
		"a percent sign in the password": {"redis://:hunter2%zz@h", nil, "hunter2", []string{"%25"}},
		"a port that is too large":       {"redis://u:hunter2@h:65536", nil, "hunter2", []string{"the number of the port is too large", "at most 65535"}},
		"a path that ends with a blank":  {"rdb:./dump.rdb\n", nil, "", []string{"begins or ends with a blank or a line break"}},
		"a path in the home folder":      {"rdb:~/dump.rdb", nil, "", []string{"the shell does not replace ~ after rdb:", "$HOME"}},
		"a port that is none":            {"redis://:pw@h:hunter2", nil, "hunter2", []string{"no valid URI"}},
		"a database with a name":         {"redis://:pw@h/hunter2", nil, "hunter2", []string{"no valid URI", "redis://USER:PASSWORD@HOST:PORT/N"}},
		"an at in the password":          {"redis://:12@hunter2@h", nil, "hunter2", []string{"--redis is no valid URI (it is not shown: it may hold a password)", "escape @ : / ? # in"}},
		"a password as a scheme":         {"hunter2://h", nil, "hunter2", []string{"no valid URI", "it begins with redis://"}},
		"a URI as a host":                {"", []string{"REDIS_HOST", "redis://:hunter2@h"}, "hunter2", []string{"REDIS_HOST", "not shown", "REDIS_URI"}},
		"a user in a host":               {"", []string{"REDIS_HOST", "hunter2@h"}, "hunter2", []string{"REDIS_HOST", "not shown"}},
		"a port in a host":               {"", []string{"REDIS_HOST", "u:hunter2"}, "hunter2", []string{"REDIS_HOST", "not shown"}},
		"a path in a host":               {"", []string{"REDIS_HOST", "h/hunter2"}, "hunter2", []string{"REDIS_HOST", "not shown"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Default().ResolveSource(test.flag, exittest.Environment(test.env...))
			exittest.WrongUse(t, err, test.secret, test.parts...)
		})
	}
}

func TestRDBPlaces(t *testing.T) {
	for uri, want := range map[string]rdbPlace{
		"rdb:./dump.rdb":             {"./dump.rdb", 0},
		"rdb:/var/lib/redis/a.rdb":   {"/var/lib/redis/a.rdb", 0},
		"rdb:///var/lib/redis/a.rdb": {"/var/lib/redis/a.rdb", 0},
		"rdb://dump.rdb":             {"dump.rdb", 0},
		"RDB:dump.rdb?db=15":         {"dump.rdb", 15},
		"rdb:a b@c%20#&:=.rdb?db=0":  {"a b@c%20#&:=.rdb", 0},
	} {
		got, err := parseRDB(Location{uri, "--redis"})
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", uri, got, err)
		}
		if got := redact.HideURI(uri); got != uri {
			t.Errorf("%s is shown as %s", uri, got)
		}
	}
}

func TestMongoIsNeverGuessed(t *testing.T) {
	_, err := Default().ResolveTarget("", exittest.Environment("MONGODB_URI", ""))
	exittest.WrongUse(t, err, "", "--mongo", "MONGODB_URI", "embedded:")
}

func TestMongoPlaces(t *testing.T) {
	for _, uri := range []string{
		"mongodb://h", "mongodb://h1:1,h2:2,[::1]:3/db?replicaSet=rs", "mongodb+srv://u:p%40w@h/",
		"mongodb://%2Ftmp%2Fmongodb-27017.sock/", "embedded:./data", "embedded:/abs", "mongodb://user@h/?authSource=$external",
	} {
		if got, err := Default().ResolveTarget(uri, exittest.Environment("MONGODB_URI", "mongodb://other")); err != nil || got != (Location{uri, "--mongo"}) {
			t.Errorf("%s: got %v, %v", uri, got, err)
		}
	}
	if got, err := Default().ResolveTarget("", exittest.Environment("MONGODB_URI", "mongodb://h")); err != nil || got != (Location{"mongodb://h", "MONGODB_URI"}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWrongMongoIsAUsageError(t *testing.T) {
	tests := map[string]struct {
		uri, secret string
		parts       []string
	}{
		"unknown scheme":          {"postgres://u:hunter2@h", "hunter2", []string{`unknown scheme "postgres"`, "mongodb://", "mongodb+srv://", "embedded:DIR"}},
		"no scheme":               {"localhost:27017", "localhost", []string{"--mongo"}},
		"no folder":               {"embedded:", "", []string{"names no folder"}},
		"a slash in the password": {"mongodb://u:12/hunter2@h", "hunter2", []string{"%2F"}},
		"an at in the password":   {"mongodb://u:12@hunter2@h", "hunter2", []string{"%40"}},
		"a colon in the password": {"mongodb://u:12:hunter2@h", "hunter2", []string{"%3A"}},
		"a large port":            {"mongodb://h1:1,h2:70000/?authSource=admin", "", []string{"the number of the port is too large"}},
		"a blank before a path":   {"embedded: ./data", "", []string{"begins or ends with a blank or a line break"}},
		"a blank after a path":    {"embedded:./data\n", "", []string{"begins or ends with a blank or a line break"}},
		"the home folder":         {"embedded:~/data", "", []string{"the shell does not replace ~ after embedded:", "$HOME", "./~"}},
		"a bad escape":            {"mongodb://u:hunter2%zz@h", "hunter2", []string{"%25"}},
		"no host":                 {"mongodb://", "", []string{"names no host"}},
		"a port without a host":   {"mongodb://:27017", "", []string{"names no host"}},
		"a comma too many":        {"mongodb://h,", "", []string{"a comma too many"}},
		"a word for a port":       {"mongodb://u:hunter2", "hunter2", []string{"no valid URI"}},
		"all that goes wrong":     {"mongodb://writer:p@ss:Zebra88/hunter2?x1@127.0.0.1:27017/?authSource=admin", "hunter2", []string{"no valid URI", mongoForm}},
		"parts of a password":     {"mongodb://writer:p@ss:hunter2/Hidden7?x1@127.0.0.1:27017/?authSource=admin", "hunter2", []string{"no valid URI", mongoForm}},
		"no slashes":              {"mongodb:h", "", []string{"--mongo"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Default().ResolveTarget(test.uri, exittest.Environment())
			exittest.WrongUse(t, err, test.secret, test.parts...)
		})
	}
}

func TestDatabaseIsTheAppsOwn(t *testing.T) {
	tests := map[string]struct {
		flag, uri string
		env       []string
		want      string
		warns     bool
	}{
		"the flag comes first":                {"flag", "mongodb://h", []string{"MONGODB_DATABASE", "var"}, "flag", false},
		"then the variable":                   {"", "mongodb://h", []string{"MONGODB_DATABASE", "var"}, "var", false},
		"else the app's default":              {"", "mongodb://h", []string{"MONGODB_DATABASE", ""}, "lanyard", false},
		"the URI's database is ignored":       {"", "mongodb://u:p@h1,h2/other?x=y", nil, "lanyard", true},
		"the same database needs no warning":  {"", "mongodb://h/lanyard?x=y", nil, "lanyard", false},
		"an embedded folder names none":       {"", "embedded:/tmp/x", nil, "lanyard", false},
		"a slash with nothing names none":     {"", "mongodb://h/?x=y", nil, "lanyard", false},
		"a warning also for a named database": {"mine", "mongodb://h/other", nil, "mine", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, warning, err := ResolveDatabase(test.flag, test.uri, exittest.Environment(test.env...))
			if err != nil || got != test.want || (warning != "") != test.warns {
				t.Errorf("got %q, %q, %v", got, warning, err)
			}
		})
	}
	for _, bad := range []string{
		"hunter2/b", "hunter2 b", "hunter2.b", "$hunter2", strings.Repeat("hunter2", 10), "mongodb://u:hunter2@h", "u:hunter2", "hunter2@h", "hunter2\n", "hunter2\x1b",
	} {
		_, _, err := ResolveDatabase(bad, "mongodb://h", exittest.Environment())
		exittest.WrongUse(t, err, "hunter2", "--database")
	}
	for _, own := range []string{"admin", "Admin", "local", "config"} {
		_, _, err := ResolveDatabase(own, "mongodb://h", exittest.Environment())
		exittest.WrongUse(t, err, "", fmt.Sprintf("--database: the database %q is MongoDB's own", own), `which is "lanyard"`)
		_, _, err = ResolveDatabase("", "mongodb://h", exittest.Environment("MONGODB_DATABASE", own))
		exittest.WrongUse(t, err, "", "MONGODB_DATABASE: the database")
	}
	_, _, err := ResolveDatabase("", "mongodb://h", exittest.Environment("MONGODB_DATABASE", "hunter2@h"))
	exittest.WrongUse(t, err, "hunter2", "MONGODB_DATABASE")
}

func TestBlanksAndQuotationMarksAroundAURIAreNothing(t *testing.T) {
	for _, around := range []string{"", " ", "\n", "\t", "\r\n", "\ufeff", "\u00a0", "\u200b"} {
		for _, form := range []string{"%s", `"%s"`, "'%s'", "`%s`", "<%s>", "“%s”", "‘%s’", `'"%s"'`, `" %s "`} {
			text := around + fmt.Sprintf(form, "redis://:hunter2@h:6379/1") + around
			got, err := Default().ResolveSource(text, exittest.Environment())
			if err != nil || got.URI != "redis://:hunter2@h:6379/1" {
				t.Errorf("%q: %+v, %v", text, got, err)
			}
			if got, err = Default().ResolveSource("", exittest.Environment("REDIS_URI", text)); err != nil || got.URI != "redis://:hunter2@h:6379/1" {
				t.Errorf("REDIS_URI=%q: %+v, %v", text, got, err)
			}
			text = around + fmt.Sprintf(form, "mongodb://u:hunter2@h/") + around
			if got, err = Default().ResolveTarget("", exittest.Environment("MONGODB_URI", text)); err != nil || got.URI != "mongodb://u:hunter2@h/" {
				t.Errorf("MONGODB_URI=%q: %+v, %v", text, got, err)
			}
		}
	}
	if got, err := Default().ResolveTarget(` "embedded:./my data"`, exittest.Environment()); err != nil || got.URI != "embedded:./my data" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{`"redis://:hunter2@h`, "redis://:hunter2@h'\"", `"`, "'redis://:hunter2@h\"", `\"redis://:hunter2@h\"`} {
		_, err := Default().ResolveSource(text, exittest.Environment())
		exittest.WrongUse(t, err, "hunter2", "no valid URI")
	}
}

func TestTheNameOfASchemeAloneIsNoURI(t *testing.T) {
	for _, uri := range []string{"embedded", "rdb", "redis", "mongodb"} {
		_, sourceErr := Default().ResolveSource(uri, exittest.Environment())
		exittest.WrongUse(t, sourceErr, "", "--redis is no valid URI", "rdb:FILE")
		_, targetErr := Default().ResolveTarget(uri, exittest.Environment())
		exittest.WrongUse(t, targetErr, "", "--mongo is no valid URI", "embedded:DIR")
	}
}

func TestTheCaseOfASchemeIsNothing(t *testing.T) {
	for _, uri := range []string{"embedded:dir", "EMBEDDED:dir", "Embedded://dir"} {
		if _, err := Default().ResolveTarget(uri, exittest.Environment()); err != nil || EmbeddedFolder(uri) != "dir" {
			t.Errorf("%s: %q, %v", uri, EmbeddedFolder(uri), err)
		}
	}
	if _, err := Default().ResolveSource("RDB:dump.rdb", exittest.Environment()); err != nil {
		t.Error(err)
	}
}
