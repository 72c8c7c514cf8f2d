using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace TaskQueue.Api.Auth;

/// <summary>Section <c>TaskQueue:Redaction</c>: what of payloads and results is not shown to those who look at tasks.</summary>
internal sealed class RedactionOptions
{
    /// <summary>Names of JSON members, at any depth, in any case; <c>*</c> is whole payloads and results.</summary>
    public IList<string> Members { get; } = [];
}

/// <summary>Hides parts of payloads from everybody but administrators; workers get what they take as it is.</summary>
internal sealed class Redaction : IDisposable
{
    private readonly IDisposable? _watch;
    private volatile Veil _veil;

    public Redaction(IOptionsMonitor<RedactionOptions> options)
    {
        _watch = options.OnChange((changed, _) => _veil = new Veil(changed.Members));
        _veil = new Veil(options.CurrentValue.Members);
    }

    /// <summary>What a caller looks through. Who does not have to say who they are is no administrator.</summary>
    public Veil For(Caller caller) => caller.Name is not null && caller.IsOperator ? Veil.None : _veil;

    public void Dispose() => _watch?.Dispose();
}

/// <summary>Hides members of JSON texts.</summary>
internal sealed class Veil(IEnumerable<string> members)
{
    private const string Hidden = "\"***\"";

    /// <summary>Hides nothing.</summary>
    public static readonly Veil None = new([]);

    private static readonly JsonReaderOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    private readonly HashSet<string> _members = new(members, StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether a member of this name is not shown.</summary>
    public bool Hides(string member) => _members.Contains(member) || _members.Contains("*");

    /// <summary>A text as it is shown: byte for byte but for what is hidden. What is no JSON cannot be looked into and is hidden whole.</summary>
    public string Cover(string json)
    {
        if (_members.Count == 0)
            return json;
        if (_members.Contains("*"))
            return Hidden;
        try
        {
            return CoverMembers(Encoding.UTF8.GetBytes(json));
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return Hidden; // the latter: a name that is no valid text
        }
    }

    private string CoverMembers(ReadOnlySpan<byte> json)
    {
        var shown = new StringBuilder(json.Length);
        var reader = new Utf8JsonReader(json, AnyDepth);
        var from = 0;
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || !_members.Contains(reader.GetString()!))
                continue;
            reader.Read();
            shown.Append(Encoding.UTF8.GetString(json[from..(int)reader.TokenStartIndex])).Append(Hidden);
            reader.Skip();
            from = (int)reader.BytesConsumed;
        }

        return shown.Append(Encoding.UTF8.GetString(json[from..])).ToString();
    }
}
