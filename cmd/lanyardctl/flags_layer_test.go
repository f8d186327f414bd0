package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

// layerOptionsOf returns what the flags of a command about the persistence layer come to.
func layerOptionsOf(p program, args ...string) (layerOptions, error) {
	var f layerFlags
	cmd := &cobra.Command{Use: "x"}
	f.bindStores(cmd)
	f.bindFallback(cmd)
	f.bindRun(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		return layerOptions{}, err
	}
	return f.options(p, time.Now(), cmd.Flags(), "x")
}

func TestWhichStoresAndWhichAppAreMeant(t *testing.T) {
	const redis, mongo = "redis://localhost:6379", "mongodb://localhost:27017"
	for name, c := range map[string]struct {
		args, env []string
		mode      persistence.Mode
		app       record.App
	}{
		"neither":                      {nil, nil, persistence.Lite, record.Upstream},
		"both":                         {[]string{"--redis", redis, "--mongo", mongo}, nil, persistence.Both, record.Fork},
		"both, by variables":           {nil, []string{"REDIS_HOST", "h", "MONGODB_URI", mongo}, persistence.Both, record.Fork},
		"Redis alone":                  {[]string{"--redis", redis}, nil, persistence.HighSpeed, record.Upstream},
		"Redis alone, of a fork":       {[]string{"--redis", redis, "--app", "fork"}, nil, persistence.HighSpeed, record.Fork},
		"MongoDB alone":                {[]string{"--mongo", mongo}, nil, persistence.Durable, record.Fork},
		"an embedded database":         {[]string{"--mongo", "embedded:x"}, nil, persistence.Durable, record.Fork},
		"a mirror of upstream":         {[]string{"--mongo", mongo, "--app", "upstream"}, []string{"REDIS_URI", redis}, persistence.Both, record.Upstream},
		"variables that are set empty": {nil, []string{"REDIS_URI", " ", "MONGODB_URI", ""}, persistence.Lite, record.Upstream},
	} {
		o, err := layerOptionsOf(programOf(c.env...), c.args...)
		if err != nil || o.mode() != c.mode || o.app != c.app {
			t.Errorf("%s: %s, %s, %v", name, o.mode(), o.app, err)
		}
		if err := o.configured(); errors.Is(err, persistence.ErrNoStore) != (c.mode == persistence.Lite) || err != nil && exit.CodeOf(err) != exit.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStoresThatCannotBeMeantAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"--redis rdb:dump.rdb":                            "--redis names a file, which no running Lanyard reads or writes",
		"--redis http://localhost":                        "--redis: unknown scheme",
		"--mongo redis://localhost":                       "--mongo: unknown scheme",
		"--app fork3":                                     `--app: unknown app "fork3"`,
		"--app upstream --mongo mongodb://localhost":      "--app upstream needs a Redis",
		"--database lanyard":                              "--database without a MongoDB",
		"--mongo-server-name x":                           "--mongo-server-name without a MongoDB",
		"--redis-ca x":                                    "--redis-ca without --redis",
		"--redis redis://localhost --redis-ca x":          "--redis-ca is about TLS",
		"--timeout 0s":                                    "--timeout: 0s is not a time to wait",
		"--mongo mongodb://localhost --database a/b":      "--database cannot be the name",
		"--quiet --verbose --redis redis://localhost:637": "--quiet and --verbose contradict each other",
	} {
		_, err := layerOptionsOf(programOf(), strings.Fields(args)...)
		if exit.CodeOf(err) != exit.Usage || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
