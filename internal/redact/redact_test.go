package redact

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

func TestHiddenURIs(t *testing.T) {
	tests := map[string]string{
		"redis://h:6379/0":                      "redis://h:6379/0",
		"REDIS://:hunter2@h":                    "REDIS://:xxxxx@h",
		"redis://":                              "redis://",
		"redis:///2":                            "redis:///2",
		"redis://:6379":                         "redis://:6379",
		"redis://[::1]:6379/0":                  "redis://[::1]:6379/0",
		"redis://[fe80::1%25eth0]":              "redis://[fe80::1%25eth0]",
		"redis://:6379?db=1":                    "redis://:6379?xxxxx", // a password that begins as a port does
		"redis://h:6379?db=1":                   "redis://h:6379?db=1",
		"redis://:hunter2@h":                    "redis://:xxxxx@h",
		"redis://user:hunter2@h":                "redis://user:xxxxx@h",
		"redis://user:@h":                       "redis://user:@h",
		"redis://hunter2@h":                     "redis://xxxxx@h", // go-redis takes it for a user; people mean the password
		"redis://:h%40u:n@h":                    "redis://xxxxx",
		"rediss://u:hun:ter2@h":                 "rediss://xxxxx",
		"redis://u:hun@ter2@h":                  "redis://xxxxx",
		"redis://u:hun/ter2@h":                  "redis://xxxxx",
		"redis://u:hun?ter2@h":                  "redis://xxxxx",
		"redis://u:hun#ter2@h/0?password=a@b":   "redis://xxxxx",
		"redis://u:hun%zz@h":                    "redis://xxxxx",
		"redis://u:hun ter2@h":                  "redis://xxxxx",
		"redis://u:hunter2":                     "redis://xxxxx", // a port that is none
		"redis://[dead:beefy]":                  "redis://xxxxx",
		"redis://[dead:beef7]":                  "redis://xxxxx",
		"redis://h/hunter2":                     "redis://xxxxx",
		"redis://h#hunter2":                     "redis://xxxxx",
		"redis://a,b":                           "redis://xxxxx",
		"redis://h?password=hunter2":            "redis://h?password=xxxxx",
		"redis://h?password=hunter2&db=1":       "redis://h?password=xxxxx", // the rest may be a piece of it
		"redis://h?password=&hun=ter2":          "redis://h?password=xxxxx",
		"redis://h?password=":                   "redis://h?password=",
		"redis://h?db=1&sentinel_password=h=2?": "redis://h?db=1&sentinel_password=xxxxx",
		"redis://h?password=hun#ter2":           "redis://xxxxx",
		"redis://h?password=hun@ter2":           "redis://xxxxx",
		"redis://h?password=hun;ter2":           "redis://xxxxx",
		"redis://h?hunter2":                     "redis://xxxxx",
		"redis://h?hun/ter=2":                   "redis://xxxxx",
		"unix://u:hunter2@/run/redis.sock?x=1":  "unix://u:xxxxx@/run/redis.sock?x=1",
		"mongodb://user@h/?authSource=admin":    "mongodb://user@h/?authSource=admin",
		"mongodb://u:hunter2!$&'()*+,=^|é@h/":   "mongodb://u:xxxxx@h/",
		"mongodb://%2Ftmp%2Fmongodb-1.sock/":    "mongodb://%2Ftmp%2Fmongodb-1.sock/",
		"mongodb://user:hunter2@h1:1,h2:2,[::1]:3/db?replicaSet=r":                                 "mongodb://user:xxxxx@h1:1,h2:2,[::1]:3/db?replicaSet=r",
		"mongodb+srv://user:hunter2@cluster.example.net/":                                          "mongodb+srv://user:xxxxx@cluster.example.net/",
		"mongodb://u:hunter2@h/?tlsCertificateKeyFilePassword=hunter2&tls=true":                    "mongodb://u:xxxxx@h/?tlsCertificateKeyFilePassword=xxxxx",
		"mongodb://AK:hunter2@h/?authSource=abc&authMechanismProperties=AWS_SESSION_TOKEN:hunter2": "mongodb://AK:xxxxx@h/?authSource=abc&authMechanismProperties=xxxxx",
		"mongodb://writer:p@ss:Zebra88/Hidden7?x1@127.0.0.1:27017/?authSource=admin":               "mongodb://xxxxx",
		"mongodb://user:word":                   "mongodb://xxxxx",
		"mongodb://u:hunter2@h/a/b":             "mongodb://xxxxx",
		"mongodb://u:hunter2@h/a%40b":           "mongodb://xxxxx",
		"mongodb://h?x=y":                       "mongodb://xxxxx",
		"mongodb://u:hunter2@h/?authSource=a b": "mongodb://xxxxx",
		"https://discord.com/api/v9":            "https://discord.com/api/v9",
		"https://u:hunter2@h/":                  "https://u:xxxxx@h/",
		"hunter2://h":                           "xxxxx", // a scheme may be a piece of a password, too
		"hun:ter://2":                           "xxxxx",
		"embedded:./data":                       "embedded:./data",
		"rdb:///a b@c":                          "rdb:///a b@c",
		"":                                      "",
	}
	for uri, want := range tests {
		if got := HideURI(uri); got != want {
			t.Errorf("%s\n got %s\nwant %s", uri, got, want)
		}
		u, err := Parse(uri)
		if err == nil && u.HasSecret() != (uri != want) {
			t.Errorf("%s: HasSecret is %v", uri, u.HasSecret())
		}
	}
}

func TestPartsOfAURI(t *testing.T) {
	u, err := Parse("MongoDB://us%40er:p%40w@h1:1,h2/na%20me?a=b&c=d")
	if err != nil || u.Scheme != "mongodb" || u.User != "us%40er" || u.Hosts != "h1:1,h2" || u.Database() != "na me" || u.Query != "a=b&c=d" {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestADriversReasonIsShownOnlyWithoutAPieceOfASecret(t *testing.T) {
	u, err := Parse("mongodb://writer:p%40ss&word9@h/?x=y&tlsCertificateKeyFilePassword=Zq7Kx9&tls=true")
	if err != nil {
		t.Fatal(err)
	}
	for text, shown := range map[string]bool{
		"invalid host: port must be an integer": true,
		`cannot use "p@s"`:                      false,
		`cannot use "rd9"`:                      false,
		`cannot use "Kx9"`:                      false,
		"unknown option: tls":                   false,
		"user writer unknown":                   false,
	} {
		if got := u.Reason(errors.New(text)); (got == text) != shown {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// TestAParameterThatMayBeAPasswordIsNotNamed has passwords whose host was forgotten.
func TestAParameterThatMayBeAPasswordIsNotNamed(t *testing.T) {
	for uri, shown := range map[string]bool{
		"redis://:99?SecretPart=":             false,
		"redis://reader:99?SecretPart=a":      false,
		"redis://reader:99?x=SecretPart&db=1": false,
		"redis://:word@h?SecretPart=":         true,
	} {
		u, err := Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Reason(errors.New("unexpected option: SecretPart")); strings.Contains(got, "SecretPart") != shown {
			t.Errorf("%s: %s", uri, got)
		}
	}
}

func TestSchemes(t *testing.T) {
	for text, want := range map[string]string{
		"Redis://h": "redis", "mongodb+srv://h": "mongodb+srv", "rdb:a": "rdb", "embedded:a": "embedded",
		"redis:h": "", "user:hunter2": "", "hunter2://h": "", "hunter2": "", "": "",
	} {
		if got := Scheme(text); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestRedactionKeepsWhatIsNoSecret(t *testing.T) {
	for _, text := range []string{
		"lanyardctl-rejects-20260403T030730Z.ndjson",
		"user 94490510688792576, 18446744073709551615",
		"mongodb://h1:27017,h2:27017/lanyard?replicaSet=rs0",
		"mail a@b.example, ratio 1:2@3",
		"such as mongodb://USER:PASSWORD@HOST:27017/?authSource=admin",
		"(redis://USER:PASSWORD@HOST:PORT/N; without a user redis://:PASSWORD@HOST:PORT)",
		"write redis://SENTINEL:26379?master_name=NAME",
		"it begins with redis://, rediss:// (TLS), unix:// or rdb:FILE",
		"ObjectID 507f1f77bcf86cd799439011",
		"run 7KXD3RX2PSQ4LIAHNQOXKGUUF5",
		"",
	} {
		if got := HideText(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
		// Somebody may have typed the form as it is, or have such a password.
		for _, uri := range []string{"redis://:hunter2@h", "redis://USER:PASSWORD@HOST", "redis://USER:PASSWORD@HOST:PORT/N", "mongodb://u:PASSWORD@h"} {
			red := New(uri)
			if strings.Contains(uri, "//USER") {
				red.Hiding(uri)
			}
			if got := red.Text(text); got != text {
				t.Errorf("%s: %q became %q", uri, text, got)
			}
		}
	}
}

func TestRedactedTexts(t *testing.T) {
	key := "0123456789abcdef0123456789abcdef"
	tests := map[string]string{
		"GET api_key:" + key + ": timeout":                             "GET api_key:" + record.Fingerprint(key) + ": timeout",
		"key lnyd_" + key + ".":                                        "key " + record.Fingerprint("lnyd_"+key) + ".",
		`parse "redis://:hunter2@h:x": invalid port`:                   `parse "redis://xxxxx": invalid port`,
		`dial redis://:hunter2@h:1: refused (redis://:hunter2@h).`:     `dial redis://:xxxxx@h:1: refused (redis://:xxxxx@h).`,
		`{"msg":"use \"redis://:hunter2@h\": no"}`:                     `{"msg":"use \"redis://:xxxxx@h\": no"}`,
		`{"uri":"redis://h?password=hunter2","n":1}`:                   `{"uri":"redis://h?password=xxxxx","n":1}`,
		"from \x1b[0mredis://:hunter2@h:1\nto":                         "from \x1b[0mredis://:xxxxx@h:1\nto",
		"\x1b[1;31mverify mongodb://h:1\x1b[0m":                        "\x1b[1;31mverify mongodb://h:1\x1b[0m",
		"\x1b[1mmongodb://u:hunter2@h.\x1b[0m":                         "\x1b[1mmongodb://u:xxxxx@h.\x1b[0m",
		`dial mongodb://u:hunter2@a,b/ and redis://v:hunter2@c, twice`: `dial mongodb://u:xxxxx@a,b/ and redis://v:xxxxx@c, twice`,
	}
	for text, want := range tests {
		if got := HideText(text); got != want {
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
		escaped := rapid.Bool().Draw(t, "escaped")
		form := rapid.SampledFrom([]string{
			"redis://:%@h:6379/0", "redis://user:%@h?db=1", "redis://%@h", "mongodb://user:%@h1:1,h2:2/db?x=y",
			"mongodb+srv://user:%@h", "redis://h?password=%", "redis://u:%@h?addr=x&sentinel_password=%",
			"mongodb://h/?tlsCertificateKeyFilePassword=%&tls=true",
		}).Draw(t, "form")
		typed := secret
		// A ":" would make a lone user a name and a password.
		if escaped || strings.Contains(form, "//%") {
			typed = url.QueryEscape(secret)
			if !strings.Contains(form, "=%") {
				typed = strings.ReplaceAll(typed, "+", "%20")
			}
		}
		uri := strings.ReplaceAll(form, "%", typed)
		_, err := Parse(uri)
		if escaped && err != nil {
			t.Fatalf("%q: %v", uri, err)
		}

		texts := []string{"cannot dial " + uri + ": refused", `bad URI "` + uri + `"`, strings.TrimSpace(strings.Repeat(uri+" ", 2))}
		if err == nil {
			texts = append(texts, "password "+secret+" is wrong", "raw "+typed+".")
		}
		red := New("redis://other", uri)
		for _, part := range []string{secret, typed} {
			if got := HideURI(uri); strings.Contains(got, part) {
				t.Fatalf("%q: %q", uri, got)
			}
			for _, text := range texts {
				if got := red.Text(text); strings.Contains(got, part) {
					t.Fatalf("%q: %q", text, got)
				}
				var log bytes.Buffer
				for _, handler := range []slog.Handler{
					slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil),
				} {
					slog.New(handler).LogAttrs(context.Background(), slog.LevelInfo, "dial "+uri, slog.String("text", text), slog.String("uri", uri))
				}
				if shown := red.Text(log.String()); strings.Contains(shown, part) {
					t.Fatalf("%q is in %s", part, shown)
				}
			}
		}
	})
}

func TestNoAPIKeySurvivesInAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`(lnyd_)?[0-9a-f]{32}`).Draw(t, "key")
		before, after := rapid.String().Draw(t, "before"), rapid.String().Draw(t, "after")
		if got := HideText(before + key + after); strings.Contains(got, strings.TrimPrefix(key, "lnyd_")) {
			t.Fatalf("%q", got)
		}
	})
}

func TestAPasswordThatIsAnOrdinaryWordIsHiddenInItsURIOnly(t *testing.T) {
	red := New("mongodb://lanyard:lanyard@h/lanyard")
	if got := red.Text("database lanyard at mongodb://lanyard:lanyard@h/lanyard"); got != "database lanyard at mongodb://lanyard:xxxxx@h/lanyard" {
		t.Error(got)
	}
}

func FuzzHideURI(f *testing.F) {
	for _, seed := range []string{"redis://:p@h", "mongodb://u:p@h1,h2/db?password=x", "://@", "a://b:c@d@e/f?g@h", "redis://h?x=1&password=a#b&c=d", "mongodb://w:p@ss:Zeb/Hid?x1@127.0.0.1:1/?a=b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		once := HideURI(uri)
		if HideURI(once) != once {
			t.Errorf("%q: redacted twice, %q becomes %q", uri, once, HideURI(once))
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
