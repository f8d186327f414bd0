package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit/exittest"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// pairOf returns the options of a command that reads a source and a target, as a command line and variables give them.
func pairOf(args []string, env ...string) (pairOptions, error) {
	var f pairFlags
	cmd := newVerify(programOf())
	cmd.ResetFlags()
	f.bindPlaces(cmd, "compare with")
	f.bindParts(cmd, "compare")
	f.bindRules(cmd, "`who` wins")
	f.bindRun(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		return pairOptions{}, err
	}
	return f.options(programOf(env...), time.Now(), cmd.Flags(), invocation.Verify)
}

func TestTLSOfRedisIsSaidByFlagsAndElseByVariables(t *testing.T) {
	variables := []string{"REDIS_CA", "v-ca", "REDIS_CERT", "v-cert", "REDIS_KEY", "v-key", "REDIS_SERVER_NAME", "v-name", "MONGODB_SERVER_NAME", "v-mongo"}
	places := []string{"--redis=rediss://h", "--mongo=mongodb+srv://h"}
	for rule, c := range map[string]struct {
		args []string
		env  []string
		want redis.TLS
		name string
	}{
		"nothing":   {places, nil, redis.TLS{}, ""},
		"variables": {places, variables, redis.TLS{CA: "v-ca", Cert: "v-cert", Key: "v-key", ServerName: "v-name"}, "v-mongo"},
		"flags first": {append(slices.Clone(places), "--redis-ca=ca", "--redis-cert=cert", "--redis-key=key", "--redis-server-name=name", "--mongo-server-name=mongo"),
			variables, redis.TLS{CA: "ca", Cert: "cert", Key: "key", ServerName: "name"}, "mongo"},
		"one of each": {append(slices.Clone(places), "--redis-key=key"), variables[:4], redis.TLS{CA: "v-ca", Cert: "v-cert", Key: "key"}, ""},
	} {
		o, err := pairOf(c.args, c.env...)
		if err != nil || o.source.TLS != c.want || o.target.ServerName != c.name || len(o.warnings) != 0 {
			t.Errorf("%s: %+v, %q, %q, %v", rule, o.source.TLS, o.target.ServerName, o.warnings, err)
		}
	}
	o, err := pairOf([]string{"--redis=redis://h", "--mongo=embedded:./x"}, variables...)
	if err != nil || o.source.TLS != (redis.TLS{}) || o.target.ServerName != "" || len(o.warnings) != 5 {
		t.Errorf("variables without TLS: %+v, %q, %q, %v", o.source.TLS, o.target.ServerName, o.warnings, err)
	}
	for _, w := range o.warnings {
		if !strings.Contains(w, " has no effect: ") {
			t.Error(w)
		}
	}
}

func TestFlagsAboutTLSThatCannotBeMeant(t *testing.T) {
	for line, parts := range map[string][]string{
		"--redis rediss://h --redis-cert c":                               {"--redis-cert without the key", "--redis-key"},
		"--redis rediss://h --redis-key k":                                {"--redis-key without the certificate", "--redis-cert"},
		"--redis redis://h --redis-ca c":                                  {"--redis-ca is about TLS, which --redis is without", "rediss://"},
		"--redis unix:///s --redis-server-name n":                         {"--redis-server-name is about TLS", "rediss://"},
		"--redis rdb:dump.rdb --redis-key k":                              {"names a file", "leave --redis-key out"},
		"--redis rediss://h?skip_verify=true --redis-ca c":                {"--redis-ca and skip_verify=true in --redis contradict each other"},
		"--redis rediss://h?addr=i:1&skip_verify=1 --redis-server-name n": {"--redis-server-name and skip_verify=true"},
		"--redis rediss://h --mongo mongodb://h --mongo-server-name n":    {"--mongo-server-name is about TLS", "tls=true"},
		"--redis rediss://h --mongo embedded:./x --mongo-server-name n":   {"--mongo-server-name is about TLS"},
	} {
		t.Run(line, func(t *testing.T) {
			_, err := pairOf(strings.Fields("--mongo mongodb://h " + line))
			exittest.WrongUse(t, err, "", parts...)
		})
	}
	_, err := pairOf(strings.Fields("--mongo mongodb://h --redis rediss://h"), "REDIS_CERT", "c")
	exittest.WrongUse(t, err, "", "REDIS_CERT without the key")
	_, err = pairOf(strings.Fields("--mongo mongodb://h --redis rediss://h?skip_verify=true"), "REDIS_CA", "c")
	exittest.WrongUse(t, err, "", "REDIS_CA and skip_verify=true")
}

func TestACertificateThatIsNotCheckedIsTold(t *testing.T) {
	for line, want := range map[string]string{
		"--redis rediss://h?skip_verify=true --mongo mongodb://h":                              "skip_verify=true in --redis: .*--redis-ca FILE",
		"--redis rediss://h?master_name=m&skip_verify=true --mongo mongodb://h":                "skip_verify=true in --redis: .*--redis-ca FILE",
		"--redis redis://h --mongo mongodb://h/?tls=true&tlsInsecure=true":                     "tlsInsecure=true in --mongo: .*tlsCAFile=FILE",
		"--redis rediss://h?skip_verify=false --mongo mongodb://h/?tls=true&tlsInsecure=false": "",
	} {
		o, err := pairOf(strings.Fields(line))
		first, second, _ := strings.Cut(want, ".*")
		if text := strings.Join(o.warnings, "\n"); err != nil || !strings.Contains(text, first) || !strings.Contains(text, second) || (text == "") != (want == "") {
			t.Errorf("%s: %q, %v", line, o.warnings, err)
		}
	}
}

func TestWhatToTypeNextKeepsTheFlagsAboutTLS(t *testing.T) {
	o, err := pairOf(strings.Fields("--redis rediss://h --mongo mongodb+srv://h --redis-ca c --redis-cert c --redis-key k --redis-server-name n --mongo-server-name m"))
	const want = "lanyardctl x --mongo mongodb+srv://h --mongo-server-name m --redis rediss://h --redis-ca c --redis-cert c --redis-key k --redis-server-name n"
	if got := o.again.As("x", invocation.PairFlags...).String(); err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
}
