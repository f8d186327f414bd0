package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

func TestRedactedURIs(t *testing.T) {
	tests := map[string]string{
		"redis://h:6379/0":                                         "redis://h:6379/0",
		"redis://:hunter2@h":                                       "redis://:xxxxx@h",
		"redis://user:hunter2@h":                                   "redis://user:xxxxx@h",
		"redis://user:@h":                                          "redis://user:@h",
		"redis://hunter2@h":                                        "redis://xxxxx@h", // go-redis takes it for a user; people mean the password
		"rediss://u:hun:ter2@h":                                    "rediss://u:xxxxx@h",
		"redis://u:hun@ter2@h":                                     "redis://u:xxxxx@h",
		"redis://u:hun/ter2@h":                                     "redis://xxxxx",
		"redis://u:hun?ter2@h":                                     "redis://xxxxx",
		"redis://u:hun#ter2@h/0?password=a@b":                      "redis://xxxxx",
		"redis://h?password=hunter2&db=1":                          "redis://h?password=xxxxx&db=1",
		"redis://h?sentinel_password=hunter2":                      "redis://h?sentinel_password=xxxxx",
		"redis://h?db=1&PassWord=hunt#er2&x=y":                     "redis://h?db=1&PassWord=xxxxx&x=y",
		"unix://u:hunter2@/run/redis.sock?x=1":                     "unix://u:xxxxx@/run/redis.sock?x=1",
		"mongodb://user@h/?authSource=admin":                       "mongodb://user@h/?authSource=admin",
		"mongodb://user:hunter2@h1:1,h2:2,[::1]:3/db?replicaSet=r": "mongodb://user:xxxxx@h1:1,h2:2,[::1]:3/db?replicaSet=r",
		"mongodb+srv://user:hunter2@cluster.example.net/":          "mongodb+srv://user:xxxxx@cluster.example.net/",
		"mongodb://u:hunter2@h/?tlsCertificateKeyFilePassword=hunter2&tls=true":                    "mongodb://u:xxxxx@h/?tlsCertificateKeyFilePassword=xxxxx&tls=true",
		"mongodb://AK:hunter2@h/?authMechanismProperties=AWS_SESSION_TOKEN:hunter2&authSource=abc": "mongodb://AK:xxxxx@h/?authMechanismProperties=xxxxx&authSource=abc",
		"embedded:./data": "embedded:./data",
		"":                "",
	}
	for uri, want := range tests {
		if got := redactURI(uri); got != want {
			t.Errorf("%s\n got %s\nwant %s", uri, got, want)
		}
		if hasPassword(uri) != (uri != want) {
			t.Errorf("%s: hasPassword is %v", uri, hasPassword(uri))
		}
	}
}

func TestRedactionKeepsWhatIsNoSecret(t *testing.T) {
	for _, text := range []string{
		"lanyardctl-rejects-20260403T030730Z.ndjson",
		"user 94490510688792576, 18446744073709551615",
		"mongodb://h1:27017,h2:27017/lanyard?replicaSet=rs0",
		"mail a@b.example, ratio 1:2@3",
		"ObjectID 507f1f77bcf86cd799439011",
		"run 7KXD3RX2PSQ4LIAHNQOXKGUUF5",
		"",
	} {
		if got := redactText(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
		if got := newRedactor("redis://:hunter2@h").text(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestRedactedTexts(t *testing.T) {
	key := "0123456789abcdef0123456789abcdef"
	tests := map[string]string{
		"GET api_key:" + key + ": timeout":                             "GET api_key:" + record.Fingerprint(key) + ": timeout",
		"key lnyd_" + key + ".":                                        "key " + record.Fingerprint("lnyd_"+key) + ".",
		`parse "redis://:hunter2@h:x": invalid port`:                   `parse "redis://:xxxxx@h:x": invalid port`,
		`{"uri":"redis://h?password=hunter2","n":1}`:                   `{"uri":"redis://h?password=xxxxx","n":1}`,
		`dial mongodb://u:hunter2@a,b/ and redis://v:hunter2@c, twice`: `dial mongodb://u:xxxxx@a,b/ and redis://v:xxxxx@c, twice`,
	}
	for text, want := range tests {
		if got := redactText(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// password draws passwords of any characters that are long enough to be told from the rest.
func password() *rapid.Generator[string] {
	return rapid.StringMatching(`Zq[!-~]{0,12}qZ`)
}

func TestNoPasswordSurvivesWhereverItStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := password().Draw(t, "password")
		typed := secret
		if rapid.Bool().Draw(t, "escaped") {
			typed = url.PathEscape(secret)
		}
		form := rapid.SampledFrom([]string{
			"redis://:%@h:6379/0", "redis://user:%@h?db=1", "redis://%@h", "mongodb://user:%@h1:1,h2:2/db?x=y",
			"mongodb+srv://user:%@h", "redis://h?password=%", "redis://u:%@h?addr=x&sentinel_password=%",
			"mongodb://h/?tlsCertificateKeyFilePassword=%&tls=true",
		}).Draw(t, "form")
		// A parameter's value ends at an "&", and a ":" would make a lone user a name and a password.
		if strings.Contains(form, "=%") || strings.Contains(form, "//%") {
			typed = url.QueryEscape(secret)
		}
		uri := strings.ReplaceAll(form, "%", typed)

		for _, part := range []string{secret, typed} {
			if got := redactURI(uri); strings.Contains(got, part) {
				t.Fatalf("%q: %q", uri, got)
			}
			red := newRedactor("redis://other", uri)
			for _, text := range []string{
				"cannot dial " + uri + ": refused", `bad URI "` + uri + `"`, "password " + secret + " is wrong",
				"raw " + typed + ".", strings.TrimSpace(strings.Repeat(uri+" ", 2)), errors.New(uri).Error(),
			} {
				if got := red.text(text); strings.Contains(got, part) {
					t.Fatalf("%q: %q", text, got)
				}
			}
			var log bytes.Buffer
			for _, handler := range []slog.Handler{
				slog.NewJSONHandler(red.writer(&log), nil), slog.NewTextHandler(red.writer(&log), nil),
			} {
				slog.New(handler).LogAttrs(context.Background(), slog.LevelInfo, "dial "+uri, slog.String("password", secret), slog.String("uri", uri))
			}
			if strings.Contains(log.String(), part) {
				t.Fatalf("%q is in %s", part, log.String())
			}
		}
	})
}

func TestNoAPIKeySurvivesInAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`(lnyd_)?[0-9a-f]{32}`).Draw(t, "key")
		before, after := rapid.String().Draw(t, "before"), rapid.String().Draw(t, "after")
		if got := redactText(before + key + after); strings.Contains(got, strings.TrimPrefix(key, "lnyd_")) {
			t.Fatalf("%q", got)
		}
	})
}

func TestAPasswordThatIsAnOrdinaryWordIsHiddenInItsURIOnly(t *testing.T) {
	red := newRedactor("mongodb://lanyard:lanyard@h/lanyard")
	if got := red.text("database lanyard at mongodb://lanyard:lanyard@h/lanyard"); got != "database lanyard at mongodb://lanyard:xxxxx@h/lanyard" {
		t.Error(got)
	}
}

func TestARedactedErrorStaysTheSameError(t *testing.T) {
	err := newRedactor().err(errors.Join(io.ErrUnexpectedEOF, errors.New("redis://:hunter2@h")))
	if !errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	if newRedactor().err(nil) != nil {
		t.Error("no error became one")
	}
}

func FuzzRedactURI(f *testing.F) {
	for _, seed := range []string{"redis://:p@h", "mongodb://u:p@h1,h2/db?password=x", "://@", "a://b:c@d@e/f?g@h", "redis://h?x=1&password=a#b&c=d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		once := redactURI(uri)
		if redactURI(once) != once {
			t.Errorf("%q: redacted twice, %q becomes %q", uri, once, redactURI(once))
		}
		// Whatever a parser takes for the password must be gone.
		if u, err := url.Parse(uri); err == nil && u.User != nil && strings.Contains(uri, "://") {
			if clean, err := url.Parse(once); err == nil && clean.User != nil {
				if pw, ok := clean.User.Password(); ok && pw != "" && pw != hidden {
					t.Errorf("%q became %q", uri, once)
				}
			}
		}
	})
}
