using System.Text;
using System.Text.Json;

namespace TaskQueue.Http.Auth;

/// <summary>Hides the values of named members, in JSON and in other texts.</summary>
internal sealed class Redactor(IEnumerable<string> members)
{
    /// <summary>Replacement for a hidden value.</summary>
    public const string Hidden = "***";

    private const string HiddenJson = "\"***\"";

    /// <summary>Minimum length for replacing a value in free text; shorter values occur in other words by chance.</summary>
    private const int MinRecurring = 4;

    /// <summary>Hides nothing.</summary>
    public static readonly Redactor None = new([]);

    /// <summary>Hides everything that a redactor can hide.</summary>
    public static readonly Redactor All = new(["*"]);

    private static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private readonly HashSet<string> _members = new(members, StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether anything is hidden.</summary>
    public bool IsOn => _members.Count > 0;

    private bool HidesAll => _members.Contains("*");

    /// <summary>Whether a member with this name is hidden.</summary>
    public bool Hides(string member) => _members.Contains(member) || HidesAll;

    /// <summary>
    /// Redacts JSON; everything not hidden is kept byte for byte. Text that is not JSON cannot be inspected and is hidden entirely.
    /// </summary>
    public string Json(string json)
    {
        if (!IsOn)
            return json;
        return HidesAll ? HiddenJson : TryRedact(json) ?? HiddenJson;
    }

    /// <summary>Redacts a free-text field: hidden by its name, else without member values that occur in it.</summary>
    public string Text(string field, string text) => !IsOn || text.Length == 0 ? text : Hides(field) ? Hidden : Text(text);

    /// <summary>Redacts free-text fields, each by its name.</summary>
    public IReadOnlyDictionary<string, string> Texts(IReadOnlyDictionary<string, string> fields) =>
        IsOn ? fields.ToDictionary(f => f.Key, f => Text(f.Key, f.Value)) : fields;

    /// <summary>
    /// Redacts an error: removes hidden member values that occur in the text, and hidden values of the payload, which errors tend to
    /// quote.
    /// </summary>
    public string? Error(string? error, string? payload)
    {
        if (!IsOn || string.IsNullOrEmpty(error))
            return error;
        if (Hides("error"))
            return Hidden;
        foreach (var value in ValuesOf(payload))
            error = error.Replace(value, Hidden, StringComparison.Ordinal);
        return Text(error);
    }

    private string Text(string text)
    {
        var begin = text.AsSpan().TrimStart();
        return (begin.StartsWith('{') || begin.StartsWith('[') ? TryRedact(text) : null) ?? TextScan.Hide(text, _members, Hidden);
    }

    private string? TryRedact(string json)
    {
        try
        {
            return RedactMembers(Encoding.UTF8.GetBytes(json));
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return null; // InvalidOperationException: a name that is not valid text
        }
    }

    private string RedactMembers(ReadOnlySpan<byte> json)
    {
        var shown = new StringBuilder(json.Length);
        var reader = new Utf8JsonReader(json, AnyDepth);
        var from = 0;
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || !_members.Contains(reader.GetString()!))
                continue;
            reader.Read();
            shown.Append(Encoding.UTF8.GetString(json[from..(int)reader.TokenStartIndex])).Append(HiddenJson);
            reader.Skip();
            from = (int)reader.BytesConsumed;
        }

        return shown.Append(Encoding.UTF8.GetString(json[from..])).ToString();
    }

    /// <summary>
    /// The hidden values of a payload as an error may quote them, longest first. A payload that is not JSON is hidden as a whole.
    /// </summary>
    private IEnumerable<string> ValuesOf(string? payload)
    {
        if (payload is null)
            return [];
        var values = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            Collect(Encoding.UTF8.GetBytes(payload), values);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            values.Add(payload);
        }

        return values.Where(v => v.Length >= MinRecurring).OrderByDescending(v => v.Length);
    }

    private void Collect(ReadOnlySpan<byte> json, HashSet<string> values)
    {
        var reader = new Utf8JsonReader(json, AnyDepth);
        int? hiddenFrom = null; // depth of the member whose values are collected
        while (reader.Read())
        {
            if (hiddenFrom is null)
            {
                if (reader.TokenType != JsonTokenType.PropertyName || !_members.Contains(reader.GetString()!))
                    continue;
                hiddenFrom = reader.CurrentDepth;
                reader.Read();
            }

            if (reader.TokenType is JsonTokenType.String or JsonTokenType.Number)
                values.Add(Encoding.UTF8.GetString(reader.ValueSpan)); // in its escaped form
            if (reader.TokenType == JsonTokenType.String)
                values.Add(reader.GetString()!);
            if (reader.CurrentDepth <= hiddenFrom && reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
                hiddenFrom = null;
        }
    }
}
