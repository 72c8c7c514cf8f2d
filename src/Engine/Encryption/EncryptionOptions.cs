namespace TaskQueue.Engine.Encryption;

/// <summary>Section <c>TaskQueue:Encryption</c>: the keys that encrypt payloads, results, errors and files at rest.</summary>
public sealed class EncryptionOptions
{
    /// <summary>Id of the key that encrypts new data; null stores new data as plain text.</summary>
    public string? ActiveKeyId { get; set; }

    /// <summary>All keys that stored data may need, including the active one.</summary>
    public IList<EncryptionKeyOptions> Keys { get; } = [];

    /// <summary>
    /// A JSON file with further keys, such as a mounted secret: <c>{"ActiveKeyId": …, "Keys": […]}</c>. Read at start.
    /// </summary>
    public string? KeysFile { get; set; }
}

/// <summary>A key of <see cref="EncryptionOptions"/>.</summary>
public sealed class EncryptionKeyOptions
{
    /// <summary>Stored with the data: 1 to 32 letters or digits.</summary>
    public string Id { get; set; } = "";

    /// <summary>32 random bytes in base64.</summary>
    public string Key { get; set; } = "";
}
