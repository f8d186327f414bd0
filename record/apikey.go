package record

// apiKeyRules are those of API keys. A key belongs to one user. One that somebody else than lanyardctl gave to a user
// stays.
var apiKeyRules = &apiKeyKind{traits{
	name: "api_keys", collection: APIKeysCollection, shape: TextShape, admits: true, frame: bsonDates,
}}

type apiKeyKind struct{ traits }

func (*apiKeyKind) merge(m merging) Decision {
	r, held := m.r, m.held
	if held.Found && held.APIKey == r.APIKey && m.keyOwner == "" {
		return m.d
	}
	detail := ""
	switch {
	case m.keyOwner == r.Identity().String():
		detail = "in the target the key stands in a document whose user_id is a number"
	case m.keyOwner != "":
		detail = "in the target the key belongs to user " + m.keyOwner
	case held.APIKey != "" && !held.Unmodified:
		detail = "the target has another API key for this user, which lanyardctl did not write"
	}
	if detail != "" {
		switch m.policy {
		case FailOnConflict:
			m.reject(Reject{Key: r.Origin.Key, Detail: detail, Value: Raw(r.Origin.Raw)})
			return m.d
		case PreferTarget:
			m.sourceGaveWay(r.Origin, "", false)
			return m.d
		case PreferSource:
		}
	}
	if m.keyOwner != "" {
		holder, _ := ParseUserID(m.keyOwner) // a user_id that is none is in the detail alone
		m.d.RevokeOther = true
		m.d.Superseded = append(m.d.Superseded, Superseded{
			Kind: r.Kind, User: holder, Field: "key", HasField: true, Value: targetBytes(r.APIKey),
			Detail: "the target's value of user " + m.keyOwner +
				", text as it is; the key goes to user " + r.Identity().String(),
		})
	}
	if held.APIKey != "" && held.APIKey != r.APIKey {
		m.targetGaveWay("key", held.APIKey)
	}
	if held.Malformed != nil {
		m.targetGaveWay("key", held.Malformed)
	}
	m.d.APIKey, m.d.Mark, m.d.Write = r.APIKey, r.Digest().String(), true
	return m.d
}

func (*apiKeyKind) compare(c comparing) []Difference {
	if c.held.APIKey != c.r.APIKey && (c.exact || c.d.Write || len(c.d.Rejects) > 0) {
		c.unequal("key", c.held.APIKey != "")
	}
	return c.found
}

func (*apiKeyKind) content(c Content, held Held, _ Bounds) Content {
	c.Record.APIKey = held.APIKey
	return c
}

func (*apiKeyKind) refusesName(string) string { return "" }
