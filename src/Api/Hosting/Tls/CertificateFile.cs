using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using TaskQueue.Engine;

namespace TaskQueue.Api.Hosting;

/// <summary>A certificate with key and chain in PEM or PKCS #12 files, which may be replaced while the server runs.</summary>
/// <param name="key">Configuration key of the section, for messages.</param>
/// <param name="settings">Paths of the files.</param>
internal sealed class CertificateFile(string key, CertificateSettings settings)
{
    private static ReadOnlySpan<byte> Pem => "-----BEGIN "u8;

    private byte[] _hash = [];
    private bool _isUnreadable;
    private volatile SslStreamCertificateContext? _context;

    public string Path => settings.Path;

    /// <summary>The certificate for new connections.</summary>
    public SslStreamCertificateContext Current => _context ?? throw new InvalidOperationException($"{key} is not loaded");

    /// <summary>Reloads the files if they changed.</summary>
    /// <returns>Whether the certificate changed.</returns>
    /// <exception cref="StartupException">
    /// The files are invalid; the previous certificate stays in use. Thrown once per change of the files.
    /// </exception>
    public bool Refresh()
    {
        try
        {
            var hash = Hash();
            _isUnreadable = false;
            if (hash.AsSpan().SequenceEqual(_hash))
                return false;
            _hash = hash;
            _context = Load();
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            if (_isUnreadable)
                return false;
            (_isUnreadable, _hash) = (true, []);
            throw new StartupException($"{key}: cannot read {settings.Path}{(settings.KeyPath is { } path ? $" or {path}" : "")}: "
                + $"{fault.Message}");
        }
        catch (Exception fault) when (fault is CryptographicException or ArgumentException)
        {
            throw new StartupException($"{key}: {settings.Path} cannot be used: {fault.Message.ReplaceLineEndings(" ")} (check Path, "
                + "KeyPath and Password)");
        }
    }

    /// <summary>Hashes the contents: a mounted secret is relinked, which changes no file time and raises no event.</summary>
    private byte[] Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(File.ReadAllBytes(settings.Path));
        if (settings.KeyPath is { } path)
            hash.AppendData(File.ReadAllBytes(path));
        return hash.GetHashAndReset();
    }

    private SslStreamCertificateContext Load()
    {
        var chain = new X509Certificate2Collection();
        X509Certificate2 certificate;
        if (settings.KeyPath is not null || File.ReadAllBytes(settings.Path).AsSpan().IndexOf(Pem) >= 0)
        {
            var keyFile = settings.KeyPath ?? settings.Path;
            certificate = settings.Password is { Length: > 0 } password
                ? X509Certificate2.CreateFromEncryptedPemFile(settings.Path, password, keyFile)
                : X509Certificate2.CreateFromPemFile(settings.Path, keyFile);
            chain.ImportFromPemFile(settings.Path);
        }
        else
        {
            chain = X509CertificateLoader.LoadPkcs12CollectionFromFile(settings.Path, settings.Password);
            certificate = chain.FirstOrDefault(c => c.HasPrivateKey) ?? throw new CryptographicException("it has no private key");
        }

        if (OperatingSystem.IsWindows()) // Windows TLS does not accept ephemeral keys
            certificate = X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
        return SslStreamCertificateContext.Create(certificate, chain, offline: true);
    }
}

/// <summary>A section such as <c>Kestrel:Certificates:Default</c>, with Kestrel's own keys.</summary>
/// <param name="Path">PEM or PKCS #12.</param>
/// <param name="KeyPath">The key in PEM; null if <paramref name="Path"/> contains it.</param>
/// <param name="Password">Password of the key, or null.</param>
internal sealed record CertificateSettings(string Path, string? KeyPath, string? Password)
{
    /// <summary>Reads the section; null if it names no file.</summary>
    public static CertificateSettings? Read(IConfigurationSection section) =>
        section["Path"] is { Length: > 0 } path
            ? new(System.IO.Path.GetFullPath(path),
                section["KeyPath"] is { Length: > 0 } key ? System.IO.Path.GetFullPath(key) : null, section["Password"])
            : null;
}
