namespace TaskQueue.Engine;

/// <summary>Stored data cannot be decrypted. The message names the key id and reveals nothing about the data.</summary>
public sealed class UnreadableDataException(string message) : Exception(message)
{
    internal static UnreadableDataException Missing(string keyId) =>
        new($"stored data is encrypted with key '{keyId}', which is not in TaskQueue:Encryption:Keys");

    internal static UnreadableDataException Altered(string keyId) =>
        new($"stored data does not open with key '{keyId}': the key is another one, or the data was altered or moved");

    internal static UnreadableDataException Malformed() => new("stored data is marked as encrypted but is malformed");
}
