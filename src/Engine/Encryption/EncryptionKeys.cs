using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Encryption;

/// <summary>Reads and validates the keys of <see cref="EncryptionOptions"/> and of its file.</summary>
internal sealed class EncryptionKeys : IValidateOptions<EncryptionOptions>
{
    private const string Section = "TaskQueue:Encryption";

    private readonly List<string> _problems = [];
    private readonly Dictionary<string, byte[]> _keys = new(StringComparer.Ordinal);

    /// <summary>The keys by id.</summary>
    public IReadOnlyDictionary<string, byte[]> ById => _keys;

    /// <summary>Id of the key for new data, or null.</summary>
    public string? ActiveId { get; private set; }

    /// <summary>Reads validated options.</summary>
    public static EncryptionKeys Of(EncryptionOptions options)
    {
        var keys = new EncryptionKeys();
        keys.Read(options);
        return keys._problems.Count == 0
            ? keys
            : throw new OptionsValidationException(Options.DefaultName, typeof(EncryptionOptions), keys._problems);
    }

    public ValidateOptionsResult Validate(string? name, EncryptionOptions options)
    {
        var keys = new EncryptionKeys();
        keys.Read(options);
        return keys._problems.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(keys._problems);
    }

    private void Read(EncryptionOptions options)
    {
        ActiveId = Text(options.ActiveKeyId);
        Add(options.Keys, $"{Section}:Keys");
        if (Text(options.KeysFile) is { } path && ReadFile(path) is { } file)
        {
            Add(file.Keys, $"Keys of {path}");
            var active = Text(file.ActiveKeyId);
            if (ActiveId is not null && active is not null && ActiveId != active)
                _problems.Add($"{Section}:ActiveKeyId is '{ActiveId}' and {path} says '{active}': keep one");
            ActiveId ??= active;
        }

        if (ActiveId is not null && !_keys.ContainsKey(ActiveId))
            _problems.Add($"{Section}:ActiveKeyId names '{ActiveId}', which is no id of {Section}:Keys");
    }

    private EncryptionOptions? ReadFile(string path)
    {
        try
        {
            var file = new ConfigurationBuilder().AddJsonFile(Path.GetFullPath(path), optional: false).Build();
            return file.Get<EncryptionOptions>() ?? new EncryptionOptions();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException
            or InvalidDataException or InvalidOperationException)
        {
            _problems.Add($"{Section}:KeysFile {path} cannot be read: {fault.Message}");
            return null;
        }
    }

    private void Add(IList<EncryptionKeyOptions> keys, string where)
    {
        for (var i = 0; i < keys.Count; i++)
        {
            var (id, bytes) = (keys[i].Id, new byte[DataKey.Bytes]);
            if (id.Length is < 1 or > DataKey.MaxIdLength || !id.All(char.IsAsciiLetterOrDigit))
                _problems.Add($"{where}:{i}:Id must be 1 to {DataKey.MaxIdLength} letters or digits");
            else if (!Convert.TryFromBase64String(keys[i].Key, bytes, out var length) || length != DataKey.Bytes)
                _problems.Add($"{where}:{i}:Key of '{id}' must be 32 bytes in base64; 'openssl rand -base64 32' makes one");
            else if (!_keys.TryAdd(id, bytes))
                _problems.Add($"{where}:{i}:Id '{id}' is a duplicate");
        }
    }

    private static string? Text(string? value) => string.IsNullOrWhiteSpace(value) ? null : value;
}
