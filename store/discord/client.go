package discord

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/record"
)

// Options says how to reach Discord.
type Options struct {
	Token string // of a bot, with or without "Bot " before it
	API   string // base address; DefaultAPI where empty

	// Client makes the requests, with its transport and its timeout; nil means one with Go's usual transport, which
	// allows each request thirty seconds.
	Client *http.Client

	PageSize int // members asked for at a time; zero means 1000, which is also the most

	// RetryFor is how long a request that fails is made again; two minutes where zero. What Discord wants to be left
	// alone for does not count. Backoff is the limit of the first wait; that of every other call where zero.
	RetryFor, Backoff time.Duration

	// Notify is told, in words for people, why it takes longer.
	Notify func(message string)
}

// DefaultAPI is the base address of Discord's API.
var DefaultAPI = strings.TrimSuffix(discordgo.EndpointAPI, "/")

// MaxPageSize is how many members Discord lists at a time.
const MaxPageSize = 1000

const requestTimeout = 30 * time.Second

// Client asks Discord's API. It is safe for concurrent use and makes one request at a time.
type Client struct {
	session  *discordgo.Session
	host     string
	token    string
	pageSize int
	backoff  time.Duration
	retryFor time.Duration
	notify   func(string)
	turn     chan struct{} // holds one element while a request is made
}

// Open returns a client. It makes no request. Its error is an [*Error].
func Open(o Options) (*Client, error) {
	token, err := botToken(o.Token)
	if err != nil {
		return nil, err
	}
	base, err := parseAPI(cmp.Or(o.API, DefaultAPI))
	if err != nil {
		return nil, err
	}
	session, err := discordgo.New("Bot " + token)
	if err != nil {
		return nil, &Error{Op: opOpen, Reason: ErrToken}
	}
	client := &http.Client{Timeout: requestTimeout}
	if o.Client != nil {
		copied := *o.Client
		client = &copied
	}
	if client.Transport == nil {
		transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: requestTimeout}
		client.Transport = transport
	}
	client.Transport = &redirecting{base: base, next: client.Transport}
	session.Client = client
	session.LogLevel = discordgo.LogError - 1 // nothing goes to stderr
	c := &Client{
		session: session, host: base.Host, token: token,
		pageSize: min(cmp.Or(max(o.PageSize, 0), MaxPageSize), MaxPageSize),
		backoff:  o.Backoff,
		retryFor: o.RetryFor,
		notify:   o.Notify,
		turn:     make(chan struct{}, 1),
	}
	if c.notify == nil {
		c.notify = func(string) {}
	}
	return c, nil
}

const opOpen = "open discord"

// botToken returns the token without its prefix.
func botToken(token string) (string, error) {
	token = strings.TrimSpace(token)
	if scheme, rest, found := strings.Cut(token, " "); found {
		if !strings.EqualFold(scheme, "Bot") {
			return "", &Error{Op: opOpen, Reason: ErrToken, Detail: "it begins like another kind of token; members are listed for bots alone"}
		}
		token = strings.TrimSpace(rest)
	}
	if token == "" || strings.EqualFold(token, "Bot") {
		return "", &Error{Op: opOpen, Reason: ErrToken, Detail: "it is empty"}
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", &Error{Op: opOpen, Reason: ErrToken, Detail: "it holds characters that no token has"}
	}
	return token, nil
}

func parseAPI(address string) (*url.URL, error) {
	base, err := url.Parse(address)
	_, uncertain := redact.Parse(address)
	fault := ""
	switch {
	case err != nil, base.Host == "", base.Scheme != "http" && base.Scheme != "https":
		fault = "it must begin with https:// or http:// and name a host"
	case base.User != nil:
		fault = "it must not hold a user name or a password"
	case uncertain != nil:
		fault = "it is " + uncertain.Error()
	case base.RawQuery != "" || base.Fragment != "":
		fault = "it must end in a path"
	default:
		base.Path = cmp.Or(base.Path, "/") // what is joined to no path at all is no path of a request
		return base, nil
	}
	return nil, &Error{Op: opOpen, Reason: ErrAddress, Detail: fault}
}

// Guild returns the members of the guild with the id. Its error is an [*Error].
func (c *Client) Guild(id string) (*Guild, error) {
	guild, ok := record.ParseUserID(id) // ids of guilds have the same form
	if !ok {
		return nil, &Error{Op: opOpen, Reason: ErrGuild, Detail: fmt.Sprintf("%q is no id of a guild", id)}
	}
	return &Guild{client: c, id: guild.String()}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.session.Client.CloseIdleConnections() }
