using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Client;

/// <summary>
/// Encrypts with AES-256-GCM into <c>{"$enc":{"kid":"…","data":"…"}}</c>, where data is the base64 of nonce, ciphertext and tag. To
/// rotate keys, add the new key everywhere, then make it active; keep the old key while tasks may need it.
/// </summary>
public sealed class AesGcmPayloadCodec : ITaskPayloadCodec
{
    private const int KeyBytes = 32, NonceBytes = 12, TagBytes = 16, MaxIdLength = 32;

    private readonly Dictionary<string, byte[]> _keys = new(StringComparer.Ordinal);
    private readonly string _activeKeyId;

    /// <summary>Creates a codec with one or more keys.</summary>
    /// <param name="activeKeyId">Id of the key used to encrypt.</param>
    /// <param name="keys">Keys of 32 random bytes by id; an id has 1 to 32 letters or digits.</param>
    /// <exception cref="ArgumentException">A key or an id is invalid. The message contains no key.</exception>
    public AesGcmPayloadCodec(string activeKeyId, IReadOnlyDictionary<string, byte[]> keys)
    {
        ArgumentNullException.ThrowIfNull(activeKeyId);
        ArgumentNullException.ThrowIfNull(keys);
        foreach (var (id, key) in keys)
        {
            if (id.Length is < 1 or > MaxIdLength || !id.All(char.IsAsciiLetterOrDigit))
                throw new ArgumentException($"the id of a key must be 1 to {MaxIdLength} letters or digits", nameof(keys));
            if (key is not { Length: KeyBytes })
                throw new ArgumentException($"key '{id}' must have {KeyBytes} bytes", nameof(keys));
            _keys.Add(id, [.. key]);
        }

        if (!_keys.ContainsKey(activeKeyId))
            throw new ArgumentException($"there is no key '{activeKeyId}'", nameof(activeKeyId));
        _activeKeyId = activeKeyId;
    }

    /// <summary>Passes unencoded JSON through, so that a codec can be added to a running system; false rejects it.</summary>
    public bool AcceptsPlain { get; init; } = true;

    /// <inheritdoc />
    public string Encode(TaskText text, string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        var data = Encoding.UTF8.GetBytes(json);
        var target = new byte[NonceBytes + data.Length + TagBytes];
        var nonce = target.AsSpan(0, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var cipher = new AesGcm(_keys[_activeKeyId], TagBytes);
        cipher.Encrypt(nonce, data, target.AsSpan(NonceBytes, data.Length), target.AsSpan(NonceBytes + data.Length), PlaceOf(text));
        return CodecEnvelope.Of(_activeKeyId, target);
    }

    /// <inheritdoc />
    public string Decode(TaskText text, string json)
    {
        ArgumentNullException.ThrowIfNull(json);
        if (CodecEnvelope.Read(json) is not var (id, data))
            return AcceptsPlain ? json
                : throw new TaskPayloadException($"the {Word(text)} is not encrypted, and this codec accepts nothing else");
        if (id is null || data is not { Length: >= NonceBytes + TagBytes })
            throw new TaskPayloadException($"the {Word(text)} is encoded in a form that this codec does not know");
        if (!_keys.TryGetValue(id, out var key))
            throw new TaskPayloadException($"the {Word(text)} is encrypted with key '{id}', which this codec does not have");
        var plain = new byte[data.Length - NonceBytes - TagBytes];
        using var cipher = new AesGcm(key, TagBytes);
        try
        {
            var (ciphertext, tag) = (data.AsMemory(NonceBytes, plain.Length), data.AsMemory(NonceBytes + plain.Length));
            cipher.Decrypt(data.AsSpan(0, NonceBytes), ciphertext.Span, tag.Span, plain, PlaceOf(text));
        }
        catch (AuthenticationTagMismatchException fault)
        {
            throw new TaskPayloadException($"the {Word(text)} does not open with key '{id}': the key is another one, or it was altered",
                fault);
        }

        return Encoding.UTF8.GetString(plain);
    }

    /// <summary>Associated data: binds a ciphertext to its kind of text, so that a result cannot be replayed as data.</summary>
    private static byte[] PlaceOf(TaskText text) => Encoding.UTF8.GetBytes($"taskqueue-client:v1:{Word(text)}");

    private static string Word(TaskText text) => text switch { TaskText.Data => "data", TaskText.Result => "result", _ => "progress" };
}
