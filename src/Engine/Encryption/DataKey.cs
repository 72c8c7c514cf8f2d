using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace TaskQueue.Engine.Encryption;

/// <summary>A key for AES-256-GCM with random nonces of 96 bits. Thread-safe.</summary>
internal sealed class DataKey(string id, byte[] key)
{
    public const int Bytes = 32, MaxIdLength = 32, NonceBytes = 12, TagBytes = 16;

    /// <summary>Bytes that sealing adds to the data.</summary>
    public const int Overhead = NonceBytes + TagBytes;

    // AesGcm is not thread-safe and costs more to create than to use.
    private readonly ConcurrentBag<AesGcm> _ciphers = [];

    public string Id { get; } = id;

    /// <summary>Writes nonce, ciphertext and tag.</summary>
    public void Seal(ReadOnlySpan<byte> data, Span<byte> target, ReadOnlySpan<byte> place)
    {
        var nonce = target[..NonceBytes];
        RandomNumberGenerator.Fill(nonce);
        var cipher = Rent();
        cipher.Encrypt(nonce, data, target.Slice(NonceBytes, data.Length), target.Slice(NonceBytes + data.Length, TagBytes), place);
        _ciphers.Add(cipher);
    }

    /// <summary>Decrypts sealed data.</summary>
    /// <returns>Whether this key sealed the data for this place.</returns>
    public bool TryOpen(ReadOnlySpan<byte> sealedData, Span<byte> target, ReadOnlySpan<byte> place)
    {
        if (sealedData.Length < Overhead)
            return false;
        var cipher = Rent();
        try
        {
            cipher.Decrypt(sealedData[..NonceBytes], sealedData[NonceBytes..^TagBytes], sealedData[^TagBytes..], target, place);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
        finally
        {
            _ciphers.Add(cipher);
        }
    }

    private AesGcm Rent() => _ciphers.TryTake(out var cipher) ? cipher : new AesGcm(key, TagBytes);
}
