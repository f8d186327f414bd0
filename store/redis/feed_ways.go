package redis

import (
	"fmt"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// feedWay is a way in which servers tell of changes. What subscribe refuses with a [WayError], a worse way may do.
type feedWay struct {
	way       record.FeedWay
	subscribe func(l *feedLink, o *goredis.Options, db int) error
}

var feedWays = []feedWay{{record.Tracking, (*feedLink).track}, {record.Notifications, (*feedLink).listen}}

// WayError says why a server does not tell of changes in a way, and what to do about it.
type WayError struct {
	Reason error  // ErrNoTracking or ErrNoNotifications
	Detail string // what is in the way
	Hint   string // what to configure
}

func (e *WayError) Error() string { return e.Reason.Error() + ": " + e.Detail }

// Unwrap returns the reason.
func (e *WayError) Unwrap() error { return e.Reason }

// joined adds what is in the way of another way to why.
func joined(why string, e *WayError) string {
	text := e.Detail + " (" + e.Hint + ")"
	if why == "" {
		return text
	}
	return why + "; " + text
}

// quietChannel is a channel on which nobody says anything.
const quietChannel = "lanyardctl:quiet"

// track has the server tell which keys it changes, in any database: it sends their names, in RESP3.
func (l *feedLink) track(o *goredis.Options, _ int) error {
	if err := l.order(1, "hello", "3"); err != nil {
		return noTracking("HELLO", o, err)
	}
	// A server limits what it keeps for a reader that is too slow, or stopped, where that listens to a channel. Others it
	// lets grow by default.
	err := l.order(1, "subscribe", quietChannel)
	if _, is := err.(refusal); err != nil && !is {
		return err
	}
	words := []string{"client", "tracking", "on", "bcast"}
	for _, prefix := range layout.Prefixes(l.wanted) {
		words = append(words, "prefix", prefix)
	}
	if err := l.order(1, words...); err != nil {
		return noTracking("CLIENT TRACKING", o, err)
	}
	return nil
}

// noTracking returns why a command is refused that tracking needs, or err where it says nothing of that.
func noTracking(command string, o *goredis.Options, err error) error {
	e := &WayError{Reason: ErrNoTracking}
	switch said, is := err.(refusal); {
	case !is || temporary(err):
		return err
	case reasonOf(err) == ErrPermission:
		e.Detail, e.Hint = "the user may not run "+command, "ACL SETUSER "+aclUser(o)+" +client|tracking"
	default:
		e.Detail = fmt.Sprintf("the server refuses %s: %s", command, plain(said))
		e.Hint = "Redis 6 and later know it, unless it is renamed or a proxy is in between"
	}
	return e
}

// keyEvents are what notify-keyspace-events has to hold: events by key, of commands for any type, texts and hashes, and of
// keys that expire or are evicted.
const keyEvents = "Kg$hxe"

// missingEvents returns which of keyEvents the setting lacks.
func missingEvents(setting string) string {
	var missing strings.Builder
	for _, class := range keyEvents {
		if !strings.ContainsRune(setting, class) && (class == 'K' || !strings.Contains(setting, "A")) {
			missing.WriteRune(class)
		}
	}
	return missing.String()
}

// notEnough returns why a server with the setting does not notify, nil where it does.
func notEnough(setting string) error {
	missing := missingEvents(setting)
	if missing == "" {
		return nil
	}
	return &WayError{
		Reason: ErrNoNotifications,
		Detail: fmt.Sprintf("notify-keyspace-events is %q", setting),
		Hint:   fmt.Sprintf("CONFIG SET notify-keyspace-events '%s%s'", setting, missing),
	}
}

// listen has the server tell what happens to the keys of a database.
func (l *feedLink) listen(o *goredis.Options, db int) error {
	e := &WayError{Reason: ErrNoNotifications}
	config, err := l.ask("config", "get", "notify-keyspace-events")
	switch _, is := err.(refusal); {
	case is && reasonOf(err) == ErrPermission:
		e.Detail = "the user may not run CONFIG GET, so that nobody knows whether keyspace notifications are on"
		e.Hint = "ACL SETUSER " + aclUser(o) + " +config|get"
		return e
	case is && !temporary(err), err == nil && len(config.list) != 2:
		e.Detail = "the server does not say whether keyspace notifications are on"
		e.Hint = "it has to know CONFIG GET notify-keyspace-events"
		return e
	case err != nil:
		return err
	}
	if err := notEnough(config.list[1]); err != nil {
		return err
	}
	l.channel = "__keyspace@" + strconv.Itoa(db) + "__:"
	words := []string{"psubscribe"}
	for _, prefix := range layout.Prefixes(l.wanted) {
		words = append(words, l.channel+prefix+"*")
	}
	err = l.order(len(words)-1, words...)
	if _, is := err.(refusal); is && !temporary(err) {
		e.Detail = "the user may not listen to keyspace notifications"
		e.Hint = "ACL SETUSER " + aclUser(o) + " +psubscribe allchannels"
		return e
	}
	return err
}

// aclUser returns whom the server takes the client for.
func aclUser(o *goredis.Options) string {
	if o.Username != "" {
		return o.Username
	}
	return "default"
}
