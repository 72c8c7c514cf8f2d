using TaskQueue.Engine;
using TaskQueue.Http.Auth;

namespace TaskQueue.Api.Hosting;

/// <summary><c>taskqueue hash-key</c>: prints a new key with its KeyHash, or the KeyHash of a key from standard input.</summary>
internal static class HashKeyCommand
{
    public static async Task<int> RunAsync(bool isGiven)
    {
        var key = isGiven ? await Console.In.ReadLineAsync() ?? "" : KeyDigest.NewKey();
        if (key.Length == 0)
            throw new StartupException("there is no key on standard input");
        if (!isGiven)
            Console.WriteLine($"Key: {key}");
        Console.WriteLine($"KeyHash: {KeyDigest.Of(key).ToHex()}");
        return 0;
    }
}
