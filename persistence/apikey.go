package persistence

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// KeyState is what the stores hold of a user's API keys.
type KeyState struct {
	User record.UserID

	// Current is the key that authenticates the user for the app; empty where none does. From is where it stands.
	Current string
	From    Origin

	All []Origin
}

// Faults returns what is wrong with the user's API keys.
func (s KeyState) Faults() []Origin { return Answer{All: s.All}.Faults() }

// in returns what one store holds.
func (s KeyState) in(store string) []Origin {
	return slices.DeleteFunc(slices.Clone(s.All), func(o Origin) bool { return o.Store != store })
}

// authenticating returns the keys among all that authenticate.
func authenticating(all []Origin) []string {
	var keys []string
	for _, o := range all {
		if o.Authenticates && !slices.Contains(keys, o.APIKey) {
			keys = append(keys, o.APIKey)
		}
	}
	return keys
}

// APIKey returns what the stores hold of the user's API keys, as far as it can be looked up by the user. With
// [Question.Everything] it looks at every key of the stores.
func (l *Layer) APIKey(ctx context.Context, user record.UserID, q Question) (KeyState, error) {
	state := KeyState{User: user}
	if len(l.Stores) == 0 {
		return state, ErrNoStore
	}
	for _, s := range l.Stores {
		entries, err := l.keyEntries(ctx, s, user, q)
		if err != nil {
			return state, err
		}
		for _, e := range entries {
			o := Origin{s.Name, e}
			if state.Current == "" && s.AppKeys && e.Authenticates && e.Apps.Has(l.App) {
				state.Current, state.From = e.APIKey, o
			}
			state.All = append(state.All, o)
		}
	}
	return state, nil
}

func (l *Layer) keyEntries(ctx context.Context, s Store, user record.UserID, q Question) (entries []record.Entry, err error) {
	if !q.Everything {
		return l.entries(ctx, s, record.APIKeys, user)
	}
	err = l.do(ctx, s, func() error {
		entries, err = s.FindAPIKeys(ctx, user)
		return err
	})
	if err != nil && l.leaveOut(ctx, s, record.APIKeys, err) {
		return nil, nil
	}
	return entries, err
}

// KeyChange is what became of a user's API keys.
type KeyChange struct {
	User    record.UserID
	Before  KeyState // everything
	Given   []string // the stores that hold the new key
	Revoked []string // the stores that held keys which authenticated the user
}

// apiKeyBytes is how many random bytes an API key holds.
const apiKeyBytes = 16

// NewAPIKey returns a new API key: "lnyd_" and 32 hexadecimal digits.
func NewAPIKey() string {
	random := make([]byte, apiKeyBytes)
	_, _ = rand.Read(random) // it never fails
	return "lnyd_" + hex.EncodeToString(random)
}

// ErrNoKeyStore tells that the store is not configured in which the app looks API keys up.
var ErrNoKeyStore = errors.New("the store is not configured in which this app looks API keys up")

// ErrOtherKey tells that the user was given another API key meanwhile.
var ErrOtherKey = errors.New("somebody else gave the user another API key meanwhile, which stays")

// KeyError says that a user's API keys were changed in part, or that nobody knows. The same call again makes it whole.
type KeyError struct {
	Left KeyLeft
	Err  error
}

// KeyLeft says which key authenticates the user for the app after a change that failed.
type KeyLeft string

// What is left.
const (
	OldKeyLeft   KeyLeft = "the user's API key is the one from before"
	NoKeyLeft    KeyLeft = "the user has no API key now"
	OtherKeyLeft KeyLeft = "the user has a new API key now, which is not shown"
	InDoubt      KeyLeft = "the user may have no API key now"
)

func (e *KeyError) Error() string { return fmt.Sprintf("%v; %s", e.Err, e.Left) }

func (e *KeyError) Unwrap() error { return e.Err }

// failed returns the error of a change that failed.
func (l *Layer) failed(ctx context.Context, c KeyChange, err error) error {
	e := &KeyError{InDoubt, err}
	once := *l
	once.Retry.For, once.Fallback = 1, false
	switch now, lookErr := once.APIKey(ctx, c.User, Question{}); {
	case lookErr != nil:
	case now.Current == "":
		e.Left = NoKeyLeft
	case now.Current == c.Before.Current:
		e.Left = OldKeyLeft
	default:
		e.Left = OtherKeyLeft
	}
	return e
}

// RotateAPIKey revokes all API keys of the user everywhere, and gives the user the key. Where it ends with an error, or is
// killed, no two keys authenticate the user, and the same call again makes it whole.
//
// Stores that only mirror the app's lose the old key first. In the app's store the new key replaces it in one step, where
// that can be done; then the others get it.
func (l *Layer) RotateAPIKey(ctx context.Context, user record.UserID, key string, dryRun bool) (KeyChange, error) {
	c, err := l.beginKeys(ctx, user)
	if err != nil || dryRun {
		return c, err
	}
	first, others := l.Stores[0], l.Stores[1:]
	for _, s := range others {
		if err := l.revoke(ctx, s, user, authenticating(c.Before.in(s.Name)), true); err != nil {
			return c, l.failed(ctx, c, err)
		}
	}
	if stray := c.strays(first.Name); len(stray) > 0 {
		if err := l.revoke(ctx, first, user, stray, true); err != nil {
			return c, l.failed(ctx, c, err)
		}
	}
	if _, err := l.give(ctx, first, user, key); err != nil {
		return c, l.failed(ctx, c, err)
	}
	c.Given = append(c.Given, first.Name)
	for _, s := range others {
		given, err := l.mirrorKey(ctx, s, user)
		if err != nil {
			return c, l.failed(ctx, c, err)
		}
		if given {
			c.Given = append(c.Given, s.Name)
		}
	}
	now, err := l.APIKey(ctx, user, Question{})
	switch {
	case err != nil:
		return c, l.failed(ctx, c, err)
	case !slices.Equal(authenticating(now.in(first.Name)), []string{key}):
		return c, ErrOtherKey
	}
	return c, nil
}

// beginKeys reads what there is, before anything is changed.
func (l *Layer) beginKeys(ctx context.Context, user record.UserID) (KeyChange, error) {
	c := KeyChange{User: user}
	switch {
	case len(l.Stores) == 0:
		return c, ErrNoStore
	case !l.Stores[0].AppKeys:
		return c, ErrNoKeyStore
	}
	strict := *l
	strict.Fallback = false // a key in a store that is left out would stay
	var err error
	if c.Before, err = strict.APIKey(ctx, user, Question{Everything: true}); err != nil {
		return c, err
	}
	for _, s := range l.Stores {
		if len(authenticating(c.Before.in(s.Name))) > 0 {
			c.Revoked = append(c.Revoked, s.Name)
		}
	}
	return c, nil
}

// strays returns the keys that authenticate the user in the store beside the current one.
func (c KeyChange) strays(store string) []string {
	return slices.DeleteFunc(authenticating(c.Before.in(store)), func(key string) bool { return key == c.Before.Current })
}

func (l *Layer) revoke(ctx context.Context, s Store, user record.UserID, keys []string, keepTrace bool) error {
	return l.do(ctx, s, func() error { return s.RevokeAPIKeys(ctx, user, keys, keepTrace) })
}

func (l *Layer) give(ctx context.Context, s Store, user record.UserID, key string) (given bool, err error) {
	err = l.do(ctx, s, func() error {
		given, err = s.GiveAPIKey(ctx, l.App, user, key)
		return err
	})
	return given, err
}

// rounds bounds how often a later store is written anew, since somebody else changes the first one.
const rounds = 50

// mirrorKey gives the user in a later store the key of the first one, until both agree: somebody else may rotate at the same
// time.
func (l *Layer) mirrorKey(ctx context.Context, s Store, user record.UserID) (given bool, err error) {
	for range rounds {
		key, err := l.currentKey(ctx, user)
		if err != nil {
			return false, err
		}
		if key == "" { // somebody revoked it
			if err := l.revoke(ctx, s, user, nil, true); err != nil {
				return false, err
			}
		} else if given, err = l.give(ctx, s, user, key); err != nil {
			return false, err
		}
		now, err := l.currentKey(ctx, user)
		if err != nil || now == key {
			return given, err
		}
	}
	return false, &StoreError{s.Name, record.ErrContended}
}

// currentKey returns the user's key in the first store.
func (l *Layer) currentKey(ctx context.Context, user record.UserID) (string, error) {
	only := *l
	only.Stores, only.Fallback = l.Stores[:1], false
	state, err := only.APIKey(ctx, user, Question{})
	return state.Current, err
}

// RevokeAPIKeys revokes all API keys of the user everywhere.
func (l *Layer) RevokeAPIKeys(ctx context.Context, user record.UserID, dryRun bool) (KeyChange, error) {
	c, err := l.beginKeys(ctx, user)
	if err != nil || dryRun {
		return c, err
	}
	for _, s := range l.Stores {
		if err := l.revoke(ctx, s, user, authenticating(c.Before.in(s.Name)), false); err != nil {
			return c, l.failed(ctx, c, err)
		}
	}
	return c, nil
}

// KeyOwner is whom an API key authenticates in a store.
type KeyOwner struct {
	Store   string
	AppKeys bool // the app looks API keys up here
	record.KeyOwner
}

// Owners returns whom the API key authenticates: for the app first, then elsewhere.
func (l *Layer) Owners(ctx context.Context, key string) ([]KeyOwner, error) {
	if len(l.Stores) == 0 {
		return nil, ErrNoStore
	}
	var list []KeyOwner
	for _, s := range l.Stores {
		var owners []record.KeyOwner
		err := l.do(ctx, s, func() (err error) {
			owners, err = s.KeyOwners(ctx, key)
			return err
		})
		if err != nil && !l.leaveOut(ctx, s, record.APIKeys, err) {
			return list, err
		}
		for _, o := range owners {
			list = append(list, KeyOwner{s.Name, s.AppKeys, o})
		}
	}
	return list, nil
}
