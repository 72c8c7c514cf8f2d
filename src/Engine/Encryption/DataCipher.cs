using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Encryption;

/// <summary>
/// Encrypts texts for storage: <c>enc:v1:&lt;key id&gt;:&lt;base64 of nonce, ciphertext and tag&gt;</c>. Without an active key texts are
/// stored unchanged; stored texts stay readable while their key is configured.
/// </summary>
internal sealed class DataCipher
{
    private const string Marker = "enc:";

    /// <summary>Marks a plain text that itself begins with the marker.</summary>
    private const string PlainPrefix = "enc:plain:";

    private const string SealedPrefix = "enc:v1:";

    private readonly Dictionary<string, DataKey> _keys;

    public DataCipher(IOptions<EncryptionOptions> options)
    {
        var keys = EncryptionKeys.Of(options.Value);
        _keys = keys.ById.ToDictionary(k => k.Key, k => new DataKey(k.Key, k.Value), StringComparer.Ordinal);
        Active = keys.ActiveId is { } id ? _keys[id] : null;
    }

    /// <summary>The key for new data, or null.</summary>
    public DataKey? Active { get; }

    /// <summary>A configured key by its id.</summary>
    /// <exception cref="UnreadableDataException">No such key is configured.</exception>
    public DataKey Get(string id) => _keys.GetValueOrDefault(id) ?? throw UnreadableDataException.Missing(id);

    /// <summary>Whether the stored form of a text differs from the text.</summary>
    public bool Changes([NotNullWhen(true)] string? text) => text is not null && (Active is not null || IsMarked(text));

    /// <summary>Whether a stored text is encrypted or escaped.</summary>
    public static bool IsMarked([NotNullWhen(true)] string? stored) =>
        stored is not null && stored.StartsWith(Marker, StringComparison.Ordinal);

    /// <summary>The stored form of a text.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    public string? Seal(Place place, string? text)
    {
        if (!Changes(text))
            return text;
        if (Active is not { } key)
            return PlainPrefix + text;
        var length = Encoding.UTF8.GetByteCount(text);
        var buffer = ArrayPool<byte>.Shared.Rent((2 * length) + DataKey.Overhead);
        try
        {
            var data = buffer.AsSpan(0, length);
            Encoding.UTF8.GetBytes(text, data);
            var target = buffer.AsSpan(length, length + DataKey.Overhead);
            key.Seal(data, target, place.ToBytes());
            return $"{SealedPrefix}{key.Id}:{Convert.ToBase64String(target)}";
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }
    }

    /// <summary>Decrypts a stored text.</summary>
    /// <exception cref="UnreadableDataException">The key is not configured, or the text was not sealed for this place.</exception>
    [return: NotNullIfNotNull(nameof(stored))]
    public string? Open(Place place, string? stored)
    {
        if (!IsMarked(stored))
            return stored;
        if (stored.StartsWith(PlainPrefix, StringComparison.Ordinal))
            return stored[PlainPrefix.Length..];
        if (!stored.StartsWith(SealedPrefix, StringComparison.Ordinal)
            || stored.IndexOf(':', SealedPrefix.Length) is not (> 0 and var colon))
            throw UnreadableDataException.Malformed();
        return Open(Get(stored[SealedPrefix.Length..colon]), place, stored.AsSpan(colon + 1));
    }

    /// <summary>Decrypts a stored text, or explains why it cannot be decrypted: for display, never written back.</summary>
    [return: NotNullIfNotNull(nameof(stored))]
    public string? OpenOrExplain(Place place, string? stored, bool asJson)
    {
        try
        {
            return Open(place, stored);
        }
        catch (UnreadableDataException unreadable)
        {
            return asJson ? JsonSerializer.Serialize(unreadable.Message) : unreadable.Message;
        }
    }

    private static string Open(DataKey key, Place place, ReadOnlySpan<char> base64)
    {
        var max = base64.Length / 4 * 3;
        var buffer = ArrayPool<byte>.Shared.Rent(2 * max);
        try
        {
            if (!Convert.TryFromBase64Chars(base64, buffer.AsSpan(0, max), out var length) || length < DataKey.Overhead)
                throw UnreadableDataException.Malformed();
            var data = buffer.AsSpan(max, length - DataKey.Overhead);
            if (!key.TryOpen(buffer.AsSpan(0, length), data, place.ToBytes()))
                throw UnreadableDataException.Altered(key.Id);
            return Encoding.UTF8.GetString(data);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }
    }
}
