package discord_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/discord"
	"github.com/lanyardctl/lanyardctl/store/storetest/discordserver"
)

// logged is what went to Go's own logger, which is discordgo's as well.
var logged bytes.Buffer

func TestMain(m *testing.M) {
	log.SetOutput(&logged)
	goleak.VerifyTestMain(quiet{m})
}

// quiet fails where something was logged.
type quiet struct{ m *testing.M }

func (q quiet) Run() int {
	code := q.m.Run()
	if logged.Len() > 0 {
		_, _ = fmt.Fprintf(os.Stdout, "something was logged:\n%s", &logged)
		return 1
	}
	return code
}

const first = record.UserID(94490510688792576)

// members returns n members who joined a second after each other.
func members(n int) []discordserver.Member {
	list := make([]discordserver.Member, n)
	for i := range list {
		list[i] = discordserver.Member{User: first + record.UserID(i*1000), JoinedAt: joined(i)}
	}
	return list
}

func joined(i int) string {
	return time.Unix(1664641326+int64(i), 0).UTC().Format("2006-01-02T15:04:05.000000-07:00")
}

// values are what members(n) say.
func values(n int) []record.DateValue {
	list := make([]record.DateValue, n)
	for i := range list {
		list[i] = record.DateValue{User: first + record.UserID(i*1000), Has: true, Value: joined(i)}
	}
	return list
}

func open(t testing.TB, o discord.Options) *discord.Client {
	t.Helper()
	if o.Token == "" {
		o.Token = discordserver.Token
	}
	o.Backoff = time.Millisecond
	c, err := discord.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// read returns all values, in order. No error may show the token.
func read(ctx context.Context, t testing.TB, d record.DateSource) ([]record.DateValue, error) {
	t.Helper()
	var all []record.DateValue
	err := d.Values(ctx, func(values []record.DateValue) error {
		all = append(all, values...)
		return nil
	})
	if err != nil && strings.Contains(err.Error(), discordserver.Token) {
		t.Error("an error shows the token")
	}
	slices.SortFunc(all, func(a, b record.DateValue) int { return int(a.User) - int(b.User) })
	return all, err
}

func guild(t testing.TB, c *discord.Client, id string) *discord.Guild {
	t.Helper()
	g, err := c.Guild(id)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAllPagesOfAGuildAreRead(t *testing.T) {
	for _, tc := range []struct {
		rule               string
		members, max, size int
		faults             map[int]discordserver.Fault
	}{
		{"a guild without members", 0, 0, 0, nil},
		{"one page", 7, 0, 0, nil},
		{"pages that are full to the last", 6, 0, 3, nil},
		{"many pages", 25, 0, 3, nil},
		{"a server that lists fewer than it is asked for", 10, 3, 1000, nil},
		{"a request too many", 10, 0, 4, map[int]discordserver.Fault{2: discordserver.TooMany(0.02)}},
		{"a request too many for a proxy", 10, 0, 4, map[int]discordserver.Fault{2: discordserver.Page(429)}},
		{"a request too many before it is told otherwise", 10, 0, 4, map[int]discordserver.Fault{
			2: {Status: 429, Header: map[string]string{"Retry-After": "Thu, 01 Jan 2015 00:00:00 GMT"}, Body: "["}}},
		{"a bad gateway", 10, 0, 4, map[int]discordserver.Fault{3: discordserver.Page(502)}},
		{"other failures of servers", 10, 0, 4, map[int]discordserver.Fault{
			1: discordserver.Page(500), 2: discordserver.Page(503), 4: discordserver.Page(504), 5: discordserver.Page(520)}},
		{"a limit that is told in advance", 0, 0, 0, map[int]discordserver.Fault{
			1: {Header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "0.02"}, Body: "[]"}}},
		{"limits that are no numbers", 0, 0, 0, map[int]discordserver.Fault{
			1: {Header: map[string]string{"X-RateLimit-Remaining": "x", "X-RateLimit-Reset-After": "NaN", "X-RateLimit-Reset": "1e300"}, Body: "[]"}}},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			srv := discordserver.Start(t, discordserver.Options{Members: members(tc.members), PageMax: tc.max, Faults: tc.faults})
			var told []string
			c := open(t, discord.Options{API: srv.URL, PageSize: tc.size, Notify: func(m string) { told = append(told, m) }})
			g := guild(t, c, srv.Guild)
			for range 2 {
				got, err := read(t.Context(), t, g)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(values(tc.members), slices.Compact(got)); tc.members > 0 && d != "" || tc.members == 0 && len(got) > 0 {
					t.Errorf("(-want +got):\n%s", d)
				}
			}
			failures := 0
			for _, f := range tc.faults {
				if f.Status >= 500 {
					failures++
				}
			}
			if len(told) != failures {
				t.Errorf("told of %d failures, want %d: %q", len(told), failures, told)
			}
			if total, err := g.Total(t.Context()); err != nil || total != int64(tc.members) {
				t.Errorf("a total of %d, %v", total, err)
			}
		})
	}
}

func TestAPageIsAskedForAfterTheLast(t *testing.T) {
	srv := discordserver.Start(t, discordserver.Options{Members: members(3)})
	c := open(t, discord.Options{API: srv.URL + "/", PageSize: 5000, Token: " bot " + discordserver.Token + "\n"})
	if _, err := read(t.Context(), t, guild(t, c, srv.Guild)); err != nil {
		t.Fatal(err)
	}
	list := "GET /guilds/" + srv.Guild + "/members?"
	if d := cmp.Diff([]string{list + "limit=1000", list + "after=94490510688794576&limit=1000"}, srv.Requests()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := guild(t, c, srv.Guild).Places(); len(got) != 1 || got[0] != (record.DatePlace{Name: "guild:" + srv.Guild}) {
		t.Errorf("places %+v", got)
	}
}

func TestOddMembersAreRead(t *testing.T) {
	body := `[{"user": {"id": "1"}}, {"user": {"id": "2"}, "joined_at": null}, {"user": {"id": 3}, "joined_at": 1664641326},
		{"user": {"id": "x"}, "joined_at": "soon"}, {"joined_at": "soon"}, null, {"user": {"id": "4"}, "joined_at": {"a": 1}}]`
	srv := discordserver.Start(t, discordserver.Options{Faults: map[int]discordserver.Fault{1: {Body: body}}})
	got, err := read(t.Context(), t, guild(t, open(t, discord.Options{API: srv.URL}), srv.Guild))
	want := []record.DateValue{
		{Name: "x", Has: true, Value: "soon"}, {Name: "no user", Has: true, Value: "soon"}, {Name: "no user"},
		{User: 1}, {User: 2}, {User: 3, Has: true, Value: int64(1664641326)}, {User: 4, Has: true, Value: map[string]any{"a": 1.0}},
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Error(err, d)
	}
}

func TestAListThatCannotBeReadSaysWhy(t *testing.T) {
	always := func(f discordserver.Fault) map[int]discordserver.Fault {
		faults := make(map[int]discordserver.Fault)
		for i := range 200 {
			faults[i+1] = f
		}
		return faults
	}
	secret := discordserver.Token
	soon := discord.Options{RetryFor: 50 * time.Millisecond}
	for _, tc := range []struct {
		rule   string
		server discordserver.Options
		o      discord.Options
		guild  string
		want   error
		later  bool
		text   string
		lists  int // how many requests, or, where negative, at least that many
	}{
		{"a wrong token", discordserver.Options{}, discord.Options{Token: "x." + secret}, "", discord.ErrToken, false, "401", 1},
		{"a bot outside the guild", discordserver.Options{Outside: true}, discord.Options{}, "", discord.ErrForbidden, false, "not in the guild", 1},
		{"a bot without the intent", discordserver.Options{NoIntent: true}, discord.Options{}, "", discord.ErrForbidden, false, "lacks the Server Members Intent", 1},
		{"another guild", discordserver.Options{}, discord.Options{}, "123", discord.ErrGuild, false, "10004", 0},
		{"an endless bad gateway", discordserver.Options{Faults: always(discordserver.Page(502))}, soon, "", discord.ErrBusy, true, "502", -2},
		{"an endless limit", discordserver.Options{Faults: always(discordserver.TooMany(0.001))}, soon, "", discord.ErrBusy, true, "429", -2},
		{"a limit of hours", discordserver.Options{Faults: always(discordserver.TooMany(7200))}, discord.Options{}, "", discord.ErrBusy, true, "2h0m0s", 1},
		{"connections that are cut", discordserver.Options{Faults: always(discordserver.Fault{Cut: true})}, soon, "", discord.ErrUnreachable, true, "127.0.0.1", -1},
		{"a page", discordserver.Options{Faults: always(discordserver.Page(200))}, discord.Options{}, "", discord.ErrNotDiscord, false, "no list", 1},
		{"an object", discordserver.Options{Faults: always(discordserver.Fault{Body: `{"a": 1}`})}, discord.Options{}, "", discord.ErrNotDiscord, false, "no list", 1},
		{"null", discordserver.Options{Faults: always(discordserver.Fault{Body: `null`})}, discord.Options{}, "", discord.ErrNotDiscord, false, "no list", 1},
		{"a redirection", discordserver.Options{Faults: always(discordserver.Fault{Status: 302, Header: map[string]string{"Location": "/"}})}, discord.Options{}, "", discord.ErrNotDiscord, false, "302", 1},
		{"a firewall's refusal", discordserver.Options{Faults: always(discordserver.Page(403))}, discord.Options{}, "", discord.ErrNotDiscord, false, "proxy", 1},
		{"an answer that repeats the token", discordserver.Options{Faults: always(discordserver.Fault{Status: 400, Body: `{"message": "` + secret + `"}`})}, discord.Options{}, "", discord.ErrNotDiscord, false, "400", 1},
		{"an answer without end", discordserver.Options{Faults: always(discordserver.Fault{Body: strings.Repeat(" ", 33<<20)})}, discord.Options{}, "", discord.ErrNotDiscord, false, "larger", 1},
		{"full pages that stand still", discordserver.Options{Faults: always(discordserver.Fault{Body: `[{"user": {"id": "5"}}]`})}, discord.Options{PageSize: 1}, "", discord.ErrNotDiscord, false, "user 5", 2},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			srv := discordserver.Start(t, tc.server)
			tc.o.API = srv.URL
			id := srv.Guild
			if tc.guild != "" {
				id = tc.guild
			}
			_, err := read(t.Context(), t, guild(t, open(t, tc.o), id))
			if !errors.Is(err, tc.want) || errors.Is(err, record.ErrUnavailable) != tc.later || !strings.Contains(err.Error(), tc.text) {
				t.Fatalf("%v, want %q about %q", err, tc.want, tc.text)
			}
			if want := "list the members of guild " + id + ": "; !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%q does not begin with %q", err, want)
			}
			lists := 0
			for _, r := range srv.Requests() {
				if strings.Contains(r, srv.Guild+"/members") {
					lists++
				}
			}
			if tc.lists >= 0 && lists != tc.lists || lists < -tc.lists {
				t.Errorf("%d requests, want %d", lists, tc.lists)
			}
		})
	}
}

func TestAShortPageThatRepeatsEndsTheList(t *testing.T) {
	body := discordserver.Fault{Body: `[{"user": {"id": "5"}}]`}
	srv := discordserver.Start(t, discordserver.Options{Faults: map[int]discordserver.Fault{1: body, 2: body}})
	got, err := read(t.Context(), t, guild(t, open(t, discord.Options{API: srv.URL}), srv.Guild))
	if err != nil || len(got) != 1 {
		t.Error(got, err)
	}
}

func TestAnUnreachableServerIsNamed(t *testing.T) {
	for rule, transport := range map[string]http.RoundTripper{
		"a dial that fails": &http.Transport{DialContext: nil, Proxy: nil},
		"an error with the token": roundTrip(func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("header %q", r.Header.Get("Authorization"))
		}),
	} {
		var told []string
		c := open(t, discord.Options{
			API: "http://127.0.0.1:1/api/v9", Client: &http.Client{Transport: transport},
			RetryFor: 20 * time.Millisecond, Notify: func(m string) { told = append(told, m) },
		})
		_, err := read(t.Context(), t, guild(t, c, "5"))
		if !errors.Is(err, discord.ErrUnreachable) || !errors.Is(err, record.ErrUnavailable) || !strings.Contains(err.Error(), "127.0.0.1:1") {
			t.Errorf("%s: %v", rule, err)
		}
		if len(told) == 0 || strings.Contains(strings.Join(told, ""), discordserver.Token) {
			t.Errorf("%s: told %d times, or the token: %q", rule, len(told), told)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestACancelledListEndsAtOnce(t *testing.T) {
	hang := make(chan struct{})
	for rule, fault := range map[string]discordserver.Fault{
		"while the server is slow":          {Hang: hang},
		"while it waits for a limit":        discordserver.TooMany(300),
		"while a limit holds":               {Header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "300"}, Body: `[{"user": {"id": "5"}}]`},
		"while it waits for another chance": discordserver.Page(503),
	} {
		t.Run(rule, func(t *testing.T) {
			srv := discordserver.Start(t, discordserver.Options{Faults: map[int]discordserver.Fault{1: fault}})
			cause := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			stop := func() { cancel(cause) }
			o := discord.Options{API: srv.URL, Token: discordserver.Token, Backoff: 5 * time.Minute, Notify: func(string) { stop() }}
			if fault.Hang != nil {
				go func() { <-fault.Hang; stop() }()
			}
			c, err := discord.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := read(ctx, t, guild(t, c, srv.Guild)); !errors.Is(err, cause) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestATotalIsNeverInTheWay(t *testing.T) {
	srv := discordserver.Start(t, discordserver.Options{Outside: true})
	g := guild(t, open(t, discord.Options{API: srv.URL}), srv.Guild)
	if total, err := g.Total(t.Context()); total != 0 || err != nil {
		t.Error(total, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Total(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestWhatCannotBeAskedIsRefusedAtOnce(t *testing.T) {
	for _, tc := range []struct {
		o    discord.Options
		want error
	}{
		{discord.Options{}, discord.ErrToken},
		{discord.Options{Token: "Bot "}, discord.ErrToken},
		{discord.Options{Token: "Bot"}, discord.ErrToken},
		{discord.Options{Token: "Bearer " + discordserver.Token}, discord.ErrToken},
		{discord.Options{Token: discordserver.Token + "\nx"}, discord.ErrToken},
		{discord.Options{Token: discordserver.Token + " x"}, discord.ErrToken},
		{discord.Options{Token: "Bot ü"}, discord.ErrToken},
		{discord.Options{Token: "t", API: "discord.com"}, discord.ErrAddress},
		{discord.Options{Token: "t", API: "ftp://discord.com"}, discord.ErrAddress},
		{discord.Options{Token: "t", API: "https://user:hunter2@discord.com"}, discord.ErrAddress},
		{discord.Options{Token: "t", API: "https://user:12/hunter2@discord.com"}, discord.ErrAddress},
		{discord.Options{Token: "t", API: "https://discord.com?a=b"}, discord.ErrAddress},
		{discord.Options{Token: "t", API: ":"}, discord.ErrAddress},
	} {
		_, err := discord.Open(tc.o)
		if !errors.Is(err, tc.want) {
			t.Errorf("%+v: %v", tc.o, err)
			continue
		}
		if strings.Contains(err.Error(), discordserver.Token) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret in %q", err)
		}
	}
	c := open(t, discord.Options{})
	for _, id := range []string{"", "0", "x", "1/members", "18446744073709551616", "../users"} {
		if _, err := c.Guild(id); !errors.Is(err, discord.ErrGuild) {
			t.Errorf("guild %q: %v", id, err)
		}
	}
}

// TestDiscordItselfIsAskedByDefault asks a transport that answers in Discord's place.
func TestDiscordItselfIsAskedByDefault(t *testing.T) {
	var address, token string
	client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		address, token = r.URL.String(), r.Header.Get("Authorization")
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("[]")), Request: r}, nil
	})}
	if _, err := read(t.Context(), t, guild(t, open(t, discord.Options{Client: client}), "5")); err != nil {
		t.Fatal(err)
	}
	if address != "https://discord.com/api/v9/guilds/5/members?limit=1000" || token != "Bot "+discordserver.Token {
		t.Errorf("%s was asked, with the token: %t", address, token != "")
	}
}

// TestTheAPIMayBeAtAnyPath asks servers whose address has no path, a slash, or a longer one.
func TestTheAPIMayBeAtAnyPath(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path)
		_, _ = io.WriteString(w, "[]")
	}))
	t.Cleanup(server.Close)
	for _, path := range []string{"", "/", "/some/api/v9", "/some/api/v9/"} {
		c := open(t, discord.Options{Token: discordserver.Token, API: server.URL + path})
		if list, err := read(t.Context(), t, guild(t, c, "7")); err != nil || len(list) > 0 {
			t.Errorf("%q: %v, %v", path, list, err)
		}
	}
	want := []string{"/guilds/7/members", "/guilds/7/members", "/some/api/v9/guilds/7/members", "/some/api/v9/guilds/7/members"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}
