using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;

namespace TaskQueue.WebConsole.Sessions;

/// <summary>The keys of ASP.NET Core's data protection in the database, so that every process reads the cookies of the others.</summary>
internal sealed class SessionKeys(ISessionKeyStore store, TimeProvider time) : IXmlRepository
{
    private int _last;

    public IReadOnlyCollection<XElement> GetAllElements()
    {
        var keys = store.List();
        _last = keys.Count == 0 ? 0 : keys[^1].Number;
        return [.. keys.Where(key => key.Text.Length > 0).Select(key => XElement.Parse(key.Text))];
    }

    /// <summary>
    /// Adds a key unless another process was faster: data protection then reads again, and all processes protect with the same key.
    /// </summary>
    public void StoreElement(XElement element, string friendlyName) =>
        store.TryAdd(new SessionKey
        {
            Number = _last + 1, Text = element.ToString(SaveOptions.DisableFormatting), CreatedAt = Micros.Now(time),
        });
}

/// <summary>Leaves the encryption of keys at rest to the storage.</summary>
internal sealed class StorageEncrypts : IXmlEncryptor
{
    public EncryptedXmlInfo Encrypt(XElement plaintextElement) =>
        new(new XElement("key", new XElement(plaintextElement)), typeof(NullXmlDecryptor));
}
