package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/lanyardctl/lanyardctl/internal/redact"
)

// Options says what to open.
type Options struct {
	// URI is redis://, rediss:// (TLS, verified unless the URI says skip_verify=true) or unix://, as go-redis parses
	// them; with one or more addr= parameters it is a Cluster, with master_name= a Sentinel.
	URI string

	// Timeout is how long connecting and the first answers may take together. Zero means 10 seconds.
	Timeout time.Duration

	// IPv6 allows IPv6 addresses alone.
	IPv6 bool

	// RetryFor is how long a read of a server that does not answer is tried again; two minutes where zero.
	RetryFor time.Duration

	// AllowShrinking reads on where the server loses many keys during the run.
	AllowShrinking bool

	// MaxRate is how many keys a second all scans together may name; zero for any number.
	MaxRate int

	// Replica reads a replica of each master in place of the master. It may lag. Where a master has none, Open fails.
	Replica bool

	// Points tells that nothing will be scanned. Open then scans nothing, either, for keys to remember: those that are met
	// tell whether data went away.
	Points bool

	// Notify is told, in words for people, of a server that does not answer. It is called from several goroutines.
	Notify func(message string)

	// TLS is heeded where the URI asks for TLS.
	TLS TLS
}

// DefaultTimeout is how long [Open] waits unless told otherwise.
const DefaultTimeout = 10 * time.Second

// readTimeout is how long a server may take for one answer; then the connection counts as cut.
const readTimeout = 30 * time.Second

// fewestConnections are one for a transaction, and one for what it is decided by.
const fewestConnections = 2

func (o Options) timeout() time.Duration {
	if o.Timeout > 0 {
		return o.Timeout
	}
	return DefaultTimeout
}

// target is a parsed URI. Exactly one of the three is set.
type target struct {
	single   *goredis.Options
	cluster  *goredis.ClusterOptions
	failover *goredis.FailoverOptions
	addr     string // for people; without secrets

	connections *connections
}

// parse reads o.URI. Its errors repeat nothing of a text that cannot be parsed with certainty.
func (o Options) parse() (target, error) {
	switch redact.Scheme(o.URI) {
	case "redis", "rediss", "unix":
	default:
		return target{}, failure("", ErrScheme, "")
	}
	uri, err := redact.Parse(o.URI)
	if err != nil {
		return target{}, failure("", ErrURI, "it cannot be parsed; is every special character of the password percent-encoded?")
	}
	u, err := url.Parse(o.URI)
	if err != nil {
		return target{}, failure("", ErrURI, uri.Reason(err))
	}
	query := u.Query()
	t := target{connections: new(connections)}
	switch {
	case query.Has("master_name"):
		t.failover, err = goredis.ParseFailoverURL(o.URI)
	case query.Has("addr"):
		t.cluster, err = parseCluster(*u, query)
	default:
		t.single, err = goredis.ParseURL(o.URI)
	}
	if err != nil {
		return target{}, failure("", ErrURI, strings.TrimPrefix(uri.Reason(err), "redis: "))
	}
	if config := t.tls(); config != nil {
		if err := o.TLS.apply(config); err != nil {
			return target{}, err
		}
	}
	o.configure(&t)
	return t, nil
}

// parseCluster takes skip_verify and a database number too, which go-redis does not know for a Cluster.
func parseCluster(u url.URL, query url.Values) (*goredis.ClusterOptions, error) {
	skip := query.Get("skip_verify")
	query.Del("skip_verify")
	if db := strings.Trim(u.Path, "/") + query.Get("db"); strings.Trim(db, "0") != "" {
		return nil, fmt.Errorf("a Cluster has database 0 alone")
	}
	query.Del("db")
	u.RawQuery = query.Encode()
	o, err := goredis.ParseClusterURL(u.String())
	if err != nil {
		return nil, err
	}
	if o.TLSConfig != nil {
		o.TLSConfig.InsecureSkipVerify = skip == "true" || skip == "1"
	}
	return o, nil
}

// configure sets what the URI leaves open. Retries are this package's own: go-redis would repeat in silence.
func (o Options) configure(t *target) {
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch {
	case t.single != nil:
		s := t.single
		t.addr = s.Addr
		s.Dialer = o.dialer(t.connections, s.TLSConfig)
		s.MaxRetries, s.DialerRetries, s.ContextTimeoutEnabled = -1, 1, true
		s.DisableIdentity, s.MaintNotificationsConfig = true, quiet
		defaults(&s.Protocol, &s.PoolSize, &s.DialTimeout, &s.ReadTimeout, o.timeout())
	case t.cluster != nil:
		c := t.cluster
		t.addr = strings.Join(c.Addrs, ",")
		c.Dialer = o.dialer(t.connections, c.TLSConfig)
		c.MaxRetries, c.DialerRetries, c.ContextTimeoutEnabled = -1, 1, true
		c.DisableIdentity, c.MaintNotificationsConfig = true, quiet
		defaults(&c.Protocol, &c.PoolSize, &c.DialTimeout, &c.ReadTimeout, o.timeout())
	case t.failover != nil:
		f := t.failover
		t.addr = strings.Join(f.SentinelAddrs, ",")
		f.Dialer = o.dialer(t.connections, f.TLSConfig)
		f.MaxRetries, f.DialerRetries, f.ContextTimeoutEnabled = -1, 1, true
		f.DisableIdentity = true
		defaults(&f.Protocol, &f.PoolSize, &f.DialTimeout, &f.ReadTimeout, o.timeout())
	}
}

func defaults(protocol, connections *int, dial, read *time.Duration, timeout time.Duration) {
	if *connections > 0 {
		*connections = max(*connections, fewestConnections)
	}
	if *protocol == 0 {
		*protocol = 2
	}
	if *dial == 0 {
		*dial = timeout
	}
	if *read == 0 {
		*read = readTimeout
	}
}

// asCluster returns the options of the Cluster that the server belongs to.
func (o Options) asCluster(single target) target {
	s := single.single
	t := target{connections: single.connections, cluster: &goredis.ClusterOptions{
		Addrs:     []string{s.Addr},
		Username:  s.Username,
		Password:  s.Password,
		Protocol:  s.Protocol,
		TLSConfig: s.TLSConfig,

		DialTimeout:  s.DialTimeout,
		ReadTimeout:  s.ReadTimeout,
		WriteTimeout: s.WriteTimeout,
		PoolSize:     s.PoolSize,
	}}
	o.configure(&t)
	return t
}

// dialer heeds the context, which go-redis's own does not where it speaks TLS.
func (o Options) dialer(open *connections, config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	dialer := &net.Dialer{
		Timeout:         o.timeout(),
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if o.IPv6 && network == "tcp" {
			network = "tcp6"
		}
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if conn, err = (peer{dialer, network, addr, config}).converse(ctx, conn); err != nil {
			return nil, err
		}
		return open.keep(conn), nil
	}
}
