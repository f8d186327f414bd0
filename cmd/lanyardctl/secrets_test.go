package main

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// secretPlace is a place where a person may put a password, rightly or by mistake.
type secretPlace struct {
	in   []string // flags, and variables; an argument where there is none
	form string   // with a % for the password; a second one, which is shown else, makes a driver quote it
	with string   // the rest of the command line

	// sign is what the password needs to be told from a user, a host or a database. Those are shown.
	sign string
}

var (
	mongoPlaces = []string{"--mongo", "MONGODB_URI"}
	redisPlaces = []string{"--redis", "REDIS_DSN", "REDIS_URI", "REDIS_URL"}
)

const (
	closedMongo = "--mongo mongodb://127.0.0.1:1"
	closedRedis = "--redis redis://127.0.0.1:1"
	secureRedis = " --redis rediss://127.0.0.1:1"
)

var secretPlaces = []secretPlace{
	{in: mongoPlaces, form: "mongodb://writer:%@127.0.0.1:1/?authSource=admin"},
	{in: mongoPlaces, form: "mongodb://writer:%@127.0.0.1:1,127.0.0.1:2/other"},
	{in: mongoPlaces, form: "mongodb://writer:%@127.0.0.1:1/?tls=%"},
	{in: mongoPlaces, form: "mongodb://writer:%@127.0.0.1:1/?authMechanism=%&authMechanismProperties=A:%"},
	{in: mongoPlaces, form: "mongodb://127.0.0.1:1/?tlsCertificateKeyFilePassword=%&tls=true"},
	{in: mongoPlaces, form: "mongodb://writer@127.0.0.1:x%"},
	{in: mongoPlaces, form: "mongodb://%:word@127.0.0.1:1/", sign: "@"},
	{in: mongoPlaces, form: "mongodb://writer:word@%:1/", sign: "@"},
	{in: mongoPlaces, form: "mongodb://writer:word@127.0.0.1:1/%?authSource=admin", sign: "@"},
	{in: mongoPlaces, form: "mongodb://writer:word@127.0.0.1:1/?appName=%", sign: "@"},
	{in: mongoPlaces, form: "mongodb://:%@127.0.0.1:1"},
	{in: mongoPlaces, form: " 'mongodb://writer:%@127.0.0.1:1'\n"},
	{in: redisPlaces, form: "\"redis://:%@127.0.0.1:1\" ", with: closedMongo},
	{in: redisPlaces, form: "\"redis://:%@127.0.0.1:1", with: closedMongo},
	{in: redisPlaces, form: "redis://:%@127.0.0.1:70000", with: closedMongo},
	{in: []string{"--memory"}, form: "mongodb://writer:%@127.0.0.1:1", with: closedMongo},
	{in: mongoPlaces, form: "writer:%@127.0.0.1:1"},
	{in: mongoPlaces, form: "%://127.0.0.1:1"},
	{in: mongoPlaces, form: "%"},
	{in: redisPlaces, form: "redis://:%@127.0.0.1:1/0", with: closedMongo},
	{in: redisPlaces, form: "rediss://reader:%@127.0.0.1:1", with: closedMongo},
	{in: redisPlaces, form: "redis://reader:%@127.0.0.1:1?db=%", with: closedMongo},
	{in: redisPlaces, form: "redis://reader:%@127.0.0.1:1?addr=127.0.0.1:2&protocol=%", with: closedMongo},
	{in: redisPlaces, form: "redis://127.0.0.1:1?master_name=m&sentinel_password=%&db=1", with: closedMongo},
	{in: redisPlaces, form: "redis://127.0.0.1:1?password=%", with: closedMongo},
	{in: redisPlaces, form: "redis://:%", with: closedMongo}, // without a host
	{in: redisPlaces, form: "unix://reader:%@/nonexistent/redis.sock", with: closedMongo},
	{in: redisPlaces, form: "redis://%:word@127.0.0.1:1", with: closedMongo, sign: "@"},
	{in: redisPlaces, form: "redis://:word@%:1", with: closedMongo, sign: "@"},
	{in: redisPlaces, form: "redis://:word@127.0.0.1:1/%", with: closedMongo, sign: "@"},
	{in: redisPlaces, form: "%", with: closedMongo},
	{in: []string{"REDIS_HOST"}, form: "%", with: closedMongo, sign: "@"},
	{in: []string{"--database", "MONGODB_DATABASE"}, form: "%", with: closedMongo, sign: "@"},
	{in: []string{"--database", "MONGODB_DATABASE"}, form: "mongodb://writer:%@127.0.0.1:1", with: closedMongo},
	{in: []string{"--discord-api"}, form: "https://writer:%@127.0.0.1:1/api", with: closedMongo + " --guild 1"},
	{in: []string{"--members", "--temp-dir"}, form: "writer:%@127.0.0.1:1", with: closedMongo},
	{in: []string{"--members", "--temp-dir"}, form: "mongodb://writer:%@127.0.0.1:1", with: closedMongo},
	{in: []string{"--batch-size"}, form: "mongodb://writer:%@127.0.0.1:1", with: closedMongo},
	{in: []string{""}, form: "redis://reader:%@127.0.0.1:1", with: closedMongo},
	{in: []string{""}, form: "reader:%@127.0.0.1:1", with: closedMongo},
	{in: []string{"--redis-ca", "REDIS_CA"}, form: "writer:%@127.0.0.1:1", with: closedMongo + secureRedis},
	{in: []string{"--redis-ca", "REDIS_CA"}, form: "mongodb://writer:%@127.0.0.1:1", with: closedMongo + secureRedis},
}

// atoms are what passwords are made of: texts that stand in no message.
var atoms = []string{"Zq7", "Kx9", "Jw4", "Vb8"}

// passwordOf returns a password of the shape: with an atom for each letter or digit, and with the other characters as
// they are. A one stays, too, since a password may begin as a port does.
func passwordOf(shape string) string {
	var b strings.Builder
	count := 0
	if !strings.HasPrefix(shape, "1") {
		shape = "a" + shape
	}
	for _, r := range strings.ReplaceAll(shape, "\x00", "") { // no variable can hold a zero
		if r != '1' && r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			b.WriteString(atoms[count%len(atoms)])
			count++
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// piecesOf returns the pieces of three characters that can come from the password alone.
func piecesOf(password string) []string {
	var pieces []string
	runes := []rune(password)
	for i := range len(runes) - 2 {
		piece := string(runes[i : i+3])
		if marks := strings.Trim(piece, "ZqKxJwVb4789"); len(piece)-len(marks) >= 2 {
			pieces = append(pieces, piece)
		}
	}
	return pieces
}

// choices says where a password goes, and what is run. Each number counts modulo the number of what there is.
type choices struct {
	place, in, command, format uint8
	escaped                    bool
}

func pick[T any](list []T, i uint8) T { return list[int(i)%len(list)] }

// checkNothingIsShown runs a command with a password somewhere, and checks that no piece of it is in any output, nor in
// what the stores and the redactor say.
func checkNothingIsShown(t rapid.TB, shape string, c choices) {
	place := pick(secretPlaces, c.place)
	in := pick(place.in, c.in)
	secret := passwordOf(shape + place.sign + "a")
	typed := secret
	if c.escaped && place.sign == "" {
		typed = strings.ReplaceAll(url.QueryEscape(secret), "+", "%20")
	}
	text := strings.ReplaceAll(place.form, "%", typed)

	command := pick([]string{"migrate redis-to-mongo", "verify", "sweep", "sweep list"}, c.command)
	switch {
	case in == "--discord-api", in == "--members", in == "--temp-dir", in == "--memory":
		command = "sweep"
	case in == "--batch-size":
		command = "migrate redis-to-mongo"
	case command == "sweep list" && (slices.Contains(place.in, "--redis") || strings.Contains(place.with, secureRedis)):
		command = "sweep"
	}
	args := append(strings.Fields(command), strings.Fields(place.with)...)
	args = append(args, "--timeout", "20ms", "--progress", "none")
	args = append(args, strings.Fields(pick([]string{"", "--log-format json", "--output json", "--verbose"}, c.format))...)
	switch {
	case in == "":
		args = append(args, text)
	case strings.HasPrefix(in, "--"):
		args = append(args, in+"="+text)
	default:
		defer setenv(t, in, text)()
		if command == "sweep" && strings.HasPrefix(in, "REDIS_") && in != "REDIS_CA" {
			args = append(args, "--redis", "env")
		}
	}
	if pair := command == "verify" || strings.HasPrefix(command, "migrate"); pair && !slices.Contains(place.in, "--redis") && in != "REDIS_HOST" && !strings.Contains(place.with, secureRedis) {
		args = append(args, strings.Fields(closedRedis)...)
	}
	defer setenv(t, "BOT_TOKEN", "a-token")()

	var out bytes.Buffer
	if code := (program{os.Getenv, location.Default()}).execute(context.Background(), args, &out, &out); code == exit.Done {
		t.Fatalf("%q succeeded", args)
	}
	var said []string
	if strings.Count(place.form, "%") == 1 {
		said = append(said, out.String())
		if strings.Contains(text, "://") {
			said = append(said, redact.HideURI(text), redact.New(text).Text("cannot use "+text+", it is wrong"))
		}
	}
	switch {
	case slices.Contains(place.in, "--mongo"):
		_, err := mongo.Open(context.Background(), mongo.Options{URI: text, Timeout: 20 * time.Millisecond})
		said = append(said, err.Error())
	case slices.Contains(place.in, "--redis"):
		_, err := redis.Open(context.Background(), redis.Options{URI: text, Timeout: 20 * time.Millisecond})
		said = append(said, err.Error())
	}
	for _, s := range said {
		for _, piece := range piecesOf(secret) {
			if strings.Contains(s, piece) {
				t.Fatalf("%q with %s=%q shows %q:\n%s", args, in, text, piece, s)
			}
		}
	}
}

// setenv sets a variable until the returned function is called.
func setenv(t rapid.TB, name, value string) (restore func()) {
	old, was := os.LookupEnv(name)
	if err := os.Setenv(name, value); err != nil {
		t.Fatal(err)
	}
	return func() {
		if was {
			_ = os.Setenv(name, old)
			return
		}
		_ = os.Unsetenv(name)
	}
}

func TestNoPieceOfAPasswordIsShown(t *testing.T) {
	t.Chdir(t.TempDir())
	for place := range secretPlaces {
		for i, shape := range []string{"@a:a/a?a", "a", ":a@a", "?a=a&a", " a", "1?a=", "1/a", "1?a=a&a=@"} {
			checkNothingIsShown(t, shape, choices{place: uint8(place), command: uint8(place + i), in: uint8(i), format: uint8(i)})
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.StringMatching(`[1a@:/?#%&=+ ;"'\\\né日]{0,10}`).Draw(t, "shape")
		number := rapid.Uint8()
		checkNothingIsShown(t, shape, choices{
			number.Draw(t, "place"), number.Draw(t, "in"), number.Draw(t, "command"), number.Draw(t, "format"), rapid.Bool().Draw(t, "escaped"),
		})
	})
}

func FuzzNoPieceOfAPasswordIsShown(f *testing.F) {
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, shape string, place, in, command, format uint8, escaped bool) {
		t.Chdir(dir)
		checkNothingIsShown(t, shape, choices{place, in, command, format, escaped})
	})
}
