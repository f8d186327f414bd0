package dynamo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// Options say where a DynamoDB is, and which tables of it are meant.
type Options struct {
	Region   string       // of AWS; empty for that of the AWS configuration, else [DefaultRegion]
	Endpoint string       // URL of a server that is not AWS's; empty for that of the AWS configuration, else AWS
	Tables   record.Kinds // that are read or written

	Consistent bool // reads see all that was written before; they take twice the capacity
	MaxRCU     int  // read capacity units a second at most; zero for any number
	MaxWCU     int  // write capacity units a second at most; zero for any number

	Timeout  time.Duration // of one request until it is made again, and of opening; [DefaultTimeout] where zero
	RetryFor time.Duration // how long a server that is unavailable or throttles is tried again; [retry.DefaultFor] where zero

	// Notify is told, from any goroutine, that the server is waited for. It may be nil.
	Notify func(message string)
}

// DefaultRegion is the one in which the bot's tables are where nothing says otherwise.
const DefaultRegion = "us-west-2"

// DefaultTimeout is how long a request may take.
const DefaultTimeout = 10 * time.Second

// Store is an open DynamoDB. It is safe for use from several goroutines.
type Store struct {
	client *dynamodb.Client
	opts   Options
	http   *http.Client

	tables map[record.Kind]TableInfo // of Options.Tables

	reads, writes *pace

	opened bool         // from then on a server that does not answer is waited for
	told   atomic.Int64 // Unix nanoseconds at which people were last told of a wait
}

// Open connects to the DynamoDB and looks at the tables. Errors are one of [ErrEndpoint], [ErrCredentials], [ErrAuth],
// [ErrExpired], [ErrPermission] and [ErrUnreachable], a [TableError], or another of the server.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	if err := s.look(bounded); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.opened = true
	return s, nil
}

// connect returns the store before it knows a table.
func connect(ctx context.Context, o Options) (*Store, error) {
	o.Timeout = cmp.Or(max(o.Timeout, 0), DefaultTimeout)
	o.RetryFor = cmp.Or(max(o.RetryFor, 0), retry.DefaultFor)
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	s := &Store{opts: o, reads: newPace(o.MaxRCU), writes: newPace(o.MaxWCU)}
	cfg, err := s.configuration(ctx)
	if err != nil {
		return nil, err
	}
	s.client = s.newClient(cfg)
	endpoint := aws.ToString(s.client.Options().BaseEndpoint)
	if endpoint != "" && !usable(endpoint) {
		return nil, fmt.Errorf("%w: %s is no URL with http:// or https:// and a host", ErrEndpoint, redact.HideURI(endpoint))
	}
	if onLoopback(endpoint) {
		// Only a machine of Amazon's has the service that gives credentials, and that has nothing to do with such a server.
		if cfg, err = s.configuration(ctx, config.WithEC2IMDSClientEnableState(imds.ClientDisabled)); err != nil {
			return nil, err
		}
		if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
			cfg.Credentials = credentials.NewStaticCredentialsProvider("none", "none", "")
		}
		s.client = s.newClient(cfg)
	}
	if _, err := s.client.Options().Credentials.Retrieve(ctx); err != nil {
		own, told := errors.AsType[*credentialsError](err)
		switch {
		case told:
			err = own // in place of the several layers around it
		case !errors.Is(err, context.Canceled):
			err = &credentialsError{err} // they were not found in time
		}
		return nil, err
	}
	return s, nil
}

// configuration returns what the environment and the files of AWS say.
func (s *Store) configuration(ctx context.Context, more ...func(*config.LoadOptions) error) (aws.Config, error) {
	if s.opts.Region != "" {
		more = append(more, config.WithRegion(s.opts.Region))
	}
	// A client of the SDK's own takes the certificates of AWS_CA_BUNDLE.
	client := awshttp.NewBuildableClient().WithTimeout(s.opts.Timeout).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = idleConnections
	})
	// With a region, also for those whom the SDK asks for credentials.
	more = append(more, config.WithDefaultRegion(DefaultRegion), config.WithHTTPClient(client), config.WithLogger(logging.Nop{}))
	cfg, err := config.LoadDefaultConfig(ctx, more...)
	if err != nil {
		return cfg, fmt.Errorf("%w: %s", ErrConfiguration, redact.HideText(err.Error()))
	}
	return cfg, nil
}

// idleConnections is how many connections are kept for the next requests.
const idleConnections = 64

func (s *Store) newClient(cfg aws.Config) *dynamodb.Client {
	if client, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		cfg.HTTPClient = client.Freeze()
	}
	s.http, _ = cfg.HTTPClient.(*http.Client)
	cfg.Credentials = aws.NewCredentialsCache(provider{cfg.Credentials})
	cfg.Retryer = nil // each client has its own, below
	return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if s.opts.Endpoint != "" {
			o.BaseEndpoint = &s.opts.Endpoint
		}
		o.Retryer = newRetryer()
	})
}

// provider is a chain of credentials whose errors are told from those of requests.
type provider struct{ aws.CredentialsProvider }

func (p provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = &credentialsError{err}
	}
	return c, err
}

// usable reports whether requests can be sent to the endpoint.
func usable(endpoint string) bool {
	u, err := url.Parse(endpoint)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

// onLoopback reports whether the endpoint is on this machine.
func onLoopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
