package location

import (
	"errors"
	"fmt"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/handshake"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// RedisTLS is what was typed about TLS with Redis.
type RedisTLS redis.TLS

// TLSSetting is what a flag, and else a variable, says about TLS.
type TLSSetting struct {
	Flag, Variable string
	Value          *string
	Usage          string
}

// Settings returns what there is to set.
func (f *RedisTLS) Settings() []TLSSetting {
	return []TLSSetting{
		{"redis-ca", "REDIS_CA", &f.CA, "`file` of the CA of a rediss:// server (default the system's)"},
		{"redis-cert", "REDIS_CERT", &f.Cert, "`file` of the certificate that such a server asks for"},
		{"redis-key", "REDIS_KEY", &f.Key, "`file` of the key to that certificate"},
		{"redis-server-name", "REDIS_SERVER_NAME", &f.ServerName, "`name` in the certificate of such a server"},
	}
}

// Resolve returns the Redis at p with how TLS is spoken to it: as the flags say, else the variables. It warns of what
// has no effect and of what is not checked. Changed tells whether a flag was given.
func (f RedisTLS) Resolve(p Location, env func(string) string, changed func(flag string) bool) (settings redis.TLS, warnings []string, err error) {
	secure := redact.Scheme(p.URI) == "rediss"
	from := make(map[*string]string)
	for _, s := range f.Settings() {
		from[s.Value] = "--" + s.Flag
		if changed(s.Flag) {
			if err := s.check(p, secure); err != nil {
				return settings, nil, err
			}
			continue
		}
		if *s.Value = env(s.Variable); *s.Value == "" {
			continue
		}
		from[s.Value] = s.Variable
		if !secure {
			*s.Value = ""
			warnings = append(warnings, fmt.Sprintf("%s has no effect: it is about TLS, which %s is without (rediss:// is with TLS)", s.Variable, p.From))
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

// check fails where the flag cannot be meant.
func (s TLSSetting) check(p Location, secure bool) error {
	switch {
	case redact.Scheme(p.URI) == "rdb":
		return exit.WrongUse("--"+s.Flag+" is about TLS, and "+p.From+" names a file", "leave --"+s.Flag+" out")
	case !secure:
		return exit.WrongUse("--"+s.Flag+" is about TLS, which "+p.From+" is without", "write rediss:// in "+p.From+", or leave --"+s.Flag+" out")
	}
	return nil
}

// Alone fails where a flag about TLS was given though no Redis is named.
func (f RedisTLS) Alone(changed func(flag string) bool) error {
	for _, s := range f.Settings() {
		if changed(s.Flag) {
			return exit.WrongUse("--"+s.Flag+" without --redis: no Redis is read", "give --redis as well, or leave --"+s.Flag+" out")
		}
	}
	return nil
}

// ResolveServerName returns the name in the certificate of the MongoDB at p, and warnings as
// [RedisTLS.Resolve] does.
func ResolveServerName(flag string, p Location, env func(string) string) (name string, warnings []string, err error) {
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

func unverifiedWarning(parameter string, p Location, ca string) string {
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
