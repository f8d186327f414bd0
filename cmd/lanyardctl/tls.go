package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/handshake"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// redisTLSFlags are the flags, as they were typed, about TLS with Redis.
type redisTLSFlags redis.TLS

// tlsSetting is what a flag, and else a variable, says about TLS.
type tlsSetting struct {
	flag, variable string
	value          *string
	usage          string
}

func (f *redisTLSFlags) settings() []tlsSetting {
	return []tlsSetting{
		{"redis-ca", "REDIS_CA", &f.CA, "`file` of the CA of a rediss:// server (default the system's)"},
		{"redis-cert", "REDIS_CERT", &f.Cert, "`file` of the certificate that such a server asks for"},
		{"redis-key", "REDIS_KEY", &f.Key, "`file` of the key to that certificate"},
		{"redis-server-name", "REDIS_SERVER_NAME", &f.ServerName, "`name` in the certificate of such a server"},
	}
}

// redisTLSNames are the flags about TLS with Redis.
var redisTLSNames = []string{"redis-ca", "redis-cert", "redis-key", "redis-server-name"}

func (f *redisTLSFlags) bind(cmd *cobra.Command) {
	for _, s := range f.settings() {
		cmd.Flags().StringVar(s.value, s.flag, "", s.usage)
	}
	for _, file := range redisTLSNames[:3] {
		offerFiles(cmd, file, "pem", "crt", "key")
	}
}

// resolve returns the Redis at p with how TLS is spoken to it: as the flags say, else the variables. It warns of what has
// no effect and of what is not checked.
func (f redisTLSFlags) resolve(p place, env func(string) string, flags *pflag.FlagSet) (settings redis.TLS, warnings []string, err error) {
	secure := redact.Scheme(p.URI) == "rediss"
	from := make(map[*string]string)
	for _, s := range f.settings() {
		from[s.value] = "--" + s.flag
		if flags.Changed(s.flag) {
			if err := s.check(p, secure); err != nil {
				return settings, nil, err
			}
			continue
		}
		if *s.value = env(s.variable); *s.value == "" {
			continue
		}
		from[s.value] = s.variable
		if !secure {
			*s.value = ""
			warnings = append(warnings, fmt.Sprintf("%s has no effect: it is about TLS, which %s is without (rediss:// is with TLS)", s.variable, p.From))
		}
	}
	switch {
	case f.Cert != "" && f.Key == "":
		return settings, nil, exit.WrongUse(from[&f.Cert]+" without the key to the certificate", "give --redis-key FILE or REDIS_KEY as well")
	case f.Cert == "" && f.Key != "":
		return settings, nil, exit.WrongUse(from[&f.Key]+" without the certificate that it is the key to", "give --redis-cert FILE or REDIS_CERT as well")
	}
	if !(redis.Options{URI: p.URI}).Unverified() {
		return redis.TLS(f), warnings, nil
	}
	for _, checks := range []*string{&f.CA, &f.ServerName} {
		if *checks != "" {
			return settings, nil, exit.WrongUse(fmt.Sprintf("%s and skip_verify=true in %s contradict each other", from[checks], p.From),
				"take skip_verify out of the URI, so that the server's certificate is checked")
		}
	}
	return redis.TLS(f), append(warnings, unverifiedWarning("skip_verify=true", p, "--redis-ca FILE")), nil
}

// check returns an error where the flag cannot be meant.
func (s tlsSetting) check(p place, secure bool) error {
	switch {
	case *s.value == "":
		return exit.WrongUse("--"+s.flag+" is empty", "give a value, or leave --"+s.flag+" out for what "+s.variable+" says")
	case rdbURI(p.URI):
		return exit.WrongUse("--"+s.flag+" is about TLS, and "+p.From+" names a file", "leave --"+s.flag+" out")
	case !secure:
		return exit.WrongUse("--"+s.flag+" is about TLS, which "+p.From+" is without", "write rediss:// in "+p.From+", or leave --"+s.flag+" out")
	}
	return nil
}

// alone returns an error where a flag about TLS was given though no Redis is named.
func (f redisTLSFlags) alone(flags *pflag.FlagSet) error {
	for _, name := range redisTLSNames {
		if flags.Changed(name) {
			return exit.WrongUse("--"+name+" without --redis: no Redis is read", "give --redis as well, or leave --"+name+" out")
		}
	}
	return nil
}

// resolveMongoName returns the name in the certificate of the MongoDB at p, and warnings as
// [redisTLSFlags.resolve] does.
func resolveMongoName(flag string, p place, env func(string) string) (name string, warnings []string, err error) {
	const variable = "MONGODB_SERVER_NAME"
	uri, _ := redact.Parse(p.URI) // that of an embedded database has no TLS
	secure, unverified := mongo.Security(uri)
	name = flag
	switch variableSet := env(variable); {
	case flag != "" && !secure:
		return "", nil, exit.WrongUse("--mongo-server-name is about TLS, which "+p.From+" is without", "write tls=true in the URI, or leave --mongo-server-name out")
	case flag == "" && variableSet != "" && !secure:
		warnings = append(warnings, fmt.Sprintf("%s has no effect: it is about TLS, which %s is without (tls=true is with TLS)", variable, p.From))
	case flag == "":
		name = variableSet
	}
	if secure && unverified {
		warnings = append(warnings, unverifiedWarning("tlsInsecure=true", p, "tlsCAFile=FILE in the URI"))
	}
	return name, warnings, nil
}

func unverifiedWarning(parameter string, p place, ca string) string {
	return fmt.Sprintf("%s in %s: the server's certificate is not checked, so that anybody in between can read and change everything; "+
		"%s names the CA instead", parameter, p.From, ca)
}

// tlsWords are how one kind of server is told about TLS.
type tlsWords struct{ ca, client, name, with, without string }

var (
	redisTLSWords = tlsWords{
		ca: "--redis-ca FILE", client: "--redis-cert FILE and --redis-key FILE", name: "--redis-server-name NAME", with: "rediss://", without: "redis://",
	}
	mongoTLSWords = tlsWords{
		ca: "tlsCAFile=FILE in the URI", client: "tlsCertificateKeyFile=FILE in the URI", name: "--mongo-server-name NAME", with: "tls=true", without: "tls=false",
	}
)

// Hint returns the next step after a failure of TLS with the server that from names, and nothing after another failure.
func (w tlsWords) Hint(err error, from string, now time.Time) string {
	clock := "this machine's clock right, which says " + now.UTC().Format("2006-01-02 15:04 UTC") + "?"
	switch {
	case errors.Is(err, handshake.ErrAuthority):
		return "is it the server that is meant? " + w.ca + " names the certificate of the CA"
	case errors.Is(err, handshake.ErrExpired):
		return "the server needs a new certificate; or is " + clock
	case errors.Is(err, handshake.ErrNotYetValid):
		return "is " + clock
	case errors.Is(err, handshake.ErrName):
		return "name the server in " + from + " as its certificate does, or give the certificate's name by " + w.name
	case errors.Is(err, handshake.ErrClientMissing):
		return "give one by " + w.client
	case errors.Is(err, handshake.ErrClientRefused):
		return "is it valid, and signed by a CA that the server knows? Another is given by " + w.client
	case errors.Is(err, handshake.ErrNoCommon):
		return "lanyardctl speaks TLS 1.2 and 1.3: let the server offer one of them, with ciphers of today"
	case errors.Is(err, handshake.ErrNoTLS):
		return "check the port in " + from + ", or write " + w.without + " where there is no TLS"
	case errors.Is(err, handshake.ErrOnlyTLS):
		return "write " + w.with + " in " + from
	case errors.Is(err, handshake.ErrCertificate), errors.Is(err, handshake.ErrFailed):
		return "the server's own log may say more; is it the server that is meant in " + from + "?"
	}
	return ""
}
