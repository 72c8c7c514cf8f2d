using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.FileProviders;
using TaskQueue.Engine.Auth;

namespace TaskQueue.Http.Auth;

/// <summary>Configuration source for <see cref="AuthOptions.KeysFile"/>, such as a mounted secret.</summary>
internal sealed class KeysFile : JsonConfigurationSource
{
    private const string Section = "TaskQueue:Auth";

    public override IConfigurationProvider Build(IConfigurationBuilder builder)
    {
        EnsureDefaults(builder);
        return new Provider(this);
    }

    /// <summary>Adds the file if one is configured.</summary>
    public static void AddTo(ConfigurationManager configuration)
    {
        if (configuration[$"{Section}:KeysFile"] is not { Length: > 0 } path)
            return;
        var full = System.IO.Path.GetFullPath(path);
        var folder = System.IO.Path.GetDirectoryName(full)!;
        ((IConfigurationBuilder)configuration).Add(new KeysFile
        {
            Path = System.IO.Path.GetFileName(full),
            Optional = true, // options validation reports a missing file
            ReloadOnChange = true,
            // Polled every 4 s: a mounted secret changes by relinking its folder, which raises no file event.
            FileProvider = Directory.Exists(folder)
                ? new PhysicalFileProvider(folder) { UsePollingFileWatcher = true, UseActivePolling = true } : new NullFileProvider(),
        });
    }

    private sealed class Provider(KeysFile source) : JsonConfigurationProvider(source)
    {
        private const string Keys = "ApiKeys:";

        public override void Load(Stream stream)
        {
            try
            {
                base.Load(stream);
                Data = Data.Where(entry => entry.Key.StartsWith(Keys, StringComparison.OrdinalIgnoreCase))
                    .ToDictionary(entry => $"{Section}:{nameof(AuthOptions.FileKeys)}:{entry.Key[Keys.Length..]}", entry =>
                        entry.Value, StringComparer.OrdinalIgnoreCase);
            }
            catch (FormatException fault)
            {
                // Options validation reports this problem; the last valid keys stay in effect.
                var problem = $"is not valid JSON: {fault.InnerException?.Message ?? fault.Message}";
                var key = $"{Section}:{nameof(AuthOptions.FileProblem)}";
                Data = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase) { [key] = problem };
            }
        }
    }
}
