using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;

namespace TaskQueue.WebConsole.Sessions;

/// <summary>
/// The keys of ASP.NET Core's data protection: with encryption at rest in the database, so that every process reads the cookies of the
/// others; otherwise in the memory of this process, because with a stored key whoever reads a backup could make an operator's cookie.
/// </summary>
internal sealed partial class SessionKeys(ISessionKeyStore store, TimeProvider time, ILogger<SessionKeys> logger) : IXmlRepository
{
    /// <summary>How long a key that was not there is believed to be missing.</summary>
    private static readonly TimeSpan Believed = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly List<XElement> _kept = [];
    private volatile HashSet<Guid> _ids = [];
    private long _readAt; // timestamp; 0 is never
    private bool _isLogged;
    private int _last;

    /// <summary>
    /// Whether a key was missing a moment ago. For one that it does not know data protection reads the keys again in its first minutes, so
    /// whoever sends cookies of made-up keys would have them read all the time.
    /// </summary>
    public bool IsMissing(Guid id)
    {
        var readAt = Volatile.Read(ref _readAt);
        return readAt != 0 && !_ids.Contains(id) && time.GetElapsedTime(readAt) < Believed;
    }

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        List<XElement> elements;
        if (store.IsEncrypted)
        {
            var keys = store.List();
            _last = keys.Count == 0 ? 0 : keys[^1].Number;
            elements = [.. keys.Where(key => key.Text.Length > 0).Select(key => XElement.Parse(key.Text))];
        }
        else
        {
            elements = Kept();
        }

        _ids = elements.Select(IdOf).ToHashSet();
        Volatile.Write(ref _readAt, time.GetTimestamp());
        return elements;
    }

    /// <summary>
    /// Adds a key unless another process was faster: data protection then reads again, and all processes protect with the same key.
    /// </summary>
    public void StoreElement(XElement element, string friendlyName)
    {
        Volatile.Write(ref _readAt, 0); // data protection reads them again when it needs to
        if (store.IsEncrypted)
        {
            store.TryAdd(new SessionKey
            {
                Number = _last + 1, Text = element.ToString(SaveOptions.DisableFormatting), CreatedAt = Micros.Now(time),
            });
            return;
        }

        lock (_lock)
            _kept.Add(new XElement(element));
    }

    private static Guid IdOf(XElement element) => Guid.TryParse((string?)element.Attribute("id"), out var id) ? id : Guid.Empty;

    private List<XElement> Kept()
    {
        lock (_lock)
        {
            if (!_isLogged)
                LogInMemory();
            _isLogged = true;
            return _kept.ConvertAll(element => new XElement(element));
        }
    }

    [LoggerMessage(LogLevel.Information, "Without TaskQueue:Encryption the keys of console sessions stay in memory: sessions end with this "
        + "process, and other processes do not accept them")]
    private partial void LogInMemory();
}

/// <summary>Leaves the encryption of keys at rest to the storage.</summary>
internal sealed class StorageEncrypts : IXmlEncryptor
{
    public EncryptedXmlInfo Encrypt(XElement plaintextElement) =>
        new(new XElement("key", new XElement(plaintextElement)), typeof(NullXmlDecryptor));
}
