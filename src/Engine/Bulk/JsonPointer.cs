namespace TaskQueue.Engine.Bulk;

/// <summary>A JSON pointer (RFC 6901).</summary>
/// <param name="Text">As written.</param>
/// <param name="Names">Names and indexes from the root down.</param>
internal sealed record JsonPointer(string Text, IReadOnlyList<string> Names)
{
    /// <summary>Reads a pointer; null if it is none.</summary>
    public static JsonPointer? Read(string? text)
    {
        if (text is null || (text.Length > 0 && text[0] != '/'))
            return null;
        if (text.Length == 0)
            return new JsonPointer(text, []);
        var names = text[1..].Split('/');
        for (var i = 0; i < names.Length; i++)
        {
            if (names[i].Replace("~0", "", StringComparison.Ordinal).Replace("~1", "", StringComparison.Ordinal)
                .Contains('~', StringComparison.Ordinal))
                return null;
            names[i] = names[i].Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
        }

        return new JsonPointer(text, names);
    }

    /// <summary>Whether another pointer leads into the value of this one.</summary>
    public bool IsAbove(JsonPointer other) => other.Names.Count > Names.Count && Names.SequenceEqual(other.Names.Take(Names.Count));

    /// <inheritdoc />
    public override string ToString() => Text.Length == 0 ? "\"\"" : Text;
}
