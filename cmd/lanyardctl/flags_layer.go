package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

// layerFlags are the flags, as they were typed, of every command that works on the app's persistence layer.
type layerFlags struct {
	targetFlags
	redis    string
	redisTLS location.RedisTLS
	app      string
	fallback bool
}

// layerHelp says which stores and which app are meant, in the help of every command about them.
const layerHelp = `The stores are those that Lanyard itself would use: --redis and --mongo, or its own
variables; either one, or both. --app says which Lanyard it is: the fork reads
MongoDB, then Redis; upstream reads Redis alone, and MongoDB is a mirror of it.
`

// bindStores adds the flags that say which stores and which app are meant.
func (f *layerFlags) bindStores(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.redis, "redis", "", "`URI` of Lanyard's Redis: redis://, rediss:// or unix://")
	flags.StringVar(&f.mongo, "mongo", "", "`URI` of Lanyard's MongoDB: mongodb://, mongodb+srv:// or embedded:DIR")
	flags.StringVar(&f.database, "database", "", "`name` of the MongoDB database (default lanyard)")
	flags.StringVar(&f.app, "app", "", "`Lanyard` that is meant: fork or upstream (default fork with MongoDB)")
	completeValues(cmd, "app", record.Fork.String(), record.Upstream.String())
}

// bindFallback adds the flag about a store that fails.
func (f *layerFlags) bindFallback(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.fallback, "fallback", false, "where a store fails, ask the next one, as Lanyard does")
}

// bindRun adds the flags that say how to run.
func (f *layerFlags) bindRun(cmd *cobra.Command) {
	f.bindTimeout(cmd)
	bindRedisTLS(cmd, &f.redisTLS)
	f.bindMongoTLS(cmd)
	f.outputFlags.bind(cmd)
}

// layerOptions are the checked flags and variables of a command that works on the app's persistence layer.
type layerOptions struct {
	targetOptions                        // its target is MongoDB; without a URI where none is configured
	redis         location.SourceOptions // without a URI where none is configured
	app           record.App
	fallback      bool
}

// mode returns what Lanyard keeps where by this configuration.
func (o layerOptions) mode() persistence.Mode {
	return persistence.ModeOf(o.redis.URI != "", o.target.URI != "")
}

// options checks everything that can be checked before a server is asked. The flags are those of the command as typed.
func (f layerFlags) options(p program, now time.Time, flags *pflag.FlagSet, command string) (layerOptions, error) {
	o := layerOptions{fallback: f.fallback}
	var err error
	if o.targetOptions, err = f.common(now, flags, command); err != nil {
		return o, err
	}
	if err := o.resolveRedis(f, p, flags); err != nil {
		return o, err
	}
	if err := o.resolveMongo(f, p, flags); err != nil {
		return o, err
	}
	return o, o.resolveApp(f.app)
}

func (o *layerOptions) resolveRedis(f layerFlags, p program, flags *pflag.FlagSet) (err error) {
	o.redis = location.SourceOptions{RedisSettings: location.RedisSettings{IPv6: location.ForceIPv6(p.env)}, Timeout: o.target.Timeout, RetryFor: o.target.RetryFor}
	if o.redis.Location, err = p.places.ResolveRedisStore(f.redis, p.env); err != nil {
		return err
	}
	if o.redis.URI == "" {
		return f.redisTLS.Alone(flags.Changed)
	}
	var warnings []string
	if o.redis.TLS, warnings, err = f.redisTLS.Resolve(o.redis.Location, p.env, flags.Changed); err != nil {
		return err
	}
	o.warnings = append(append(o.warnings, warnings...), o.redis.PasswordWarning("REDIS_URI")...)
	return nil
}

func (o *layerOptions) resolveMongo(f layerFlags, p program, flags *pflag.FlagSet) (err error) {
	if o.target.Location, err = p.places.ResolveMongoStore(f.mongo, p.env); err != nil {
		return err
	}
	if o.target.URI != "" {
		o.target.Missing = location.RefuseFolder
		return f.resolve(&o.targetOptions, p)
	}
	for _, flag := range []string{"database", "mongo-server-name"} {
		if flags.Changed(flag) {
			return exit.WrongUse("--"+flag+" without a MongoDB", "give --mongo URI or set MONGODB_URI as well, or leave --"+flag+" out")
		}
	}
	return nil
}

// resolveApp decides which app is meant: as the flag says, else by what is configured.
func (o *layerOptions) resolveApp(flag string) (err error) {
	switch {
	case flag != "":
		if o.app, err = record.ParseApp(flag); err != nil {
			return exit.WrongUse("--app: "+err.Error(), "give fork or upstream")
		}
	case o.target.URI == "":
		o.app = record.Upstream
	}
	if flag != "" && o.app == record.Upstream && o.redis.URI == "" {
		return exit.WrongUse("--app upstream needs a Redis: that Lanyard keeps everything there, and reads no MongoDB",
			"give --redis URI, or set REDIS_URI as Lanyard has it")
	}
	return nil
}

// configured fails where there is no store at all.
func (o layerOptions) configured() error {
	if o.mode() == persistence.Lite {
		return &exit.Error{Code: exit.Usage, Err: persistence.ErrNoStore,
			Hint: "give --redis URI or --mongo URI or both, or set REDIS_DSN, REDIS_URI, REDIS_URL or REDIS_HOST, and MONGODB_URI, as Lanyard has them"}
	}
	return nil
}
